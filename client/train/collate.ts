// Examples side by side in one batch. Pure.
import { type Float32Tensor, float32, int64, type Tensor } from '../../common/tensor.ts'
import { type Example, ignoredLabel } from './data/example.ts'

/**
 * Every tensor is `[batch, seq]`, padded on the right to the longest example; labels (a sequence may have only one) to
 * their own longest.
 */
export interface Batch {
  /** `[batch, seq]`, padded on the right */
  readonly inputIds: Tensor<'int64'>
  /** 1 for tokens, 0 for padding */
  readonly attentionMask: Tensor<'int64'>
  /** -100 where no loss is taken; of measured values and flags none */
  readonly labels: Tensor<'int64'>
  /** `[batch, numbers]`: measured values, or 0 and 1 for each class, which are no numbers of classes */
  readonly numbers?: Float32Tensor
  /** `[batch, seq]`, 0 at padding; absent where all are 0 */
  readonly tokenTypeIds?: Tensor<'int64'>
}

function padded(rows: readonly (readonly number[])[], length: number, filler: number): Tensor<'int64'> {
  return int64(
    [rows.length, length],
    rows.flatMap(row => [...row, ...Array<number>(length - row.length).fill(filler)])
  )
}

/** Examples with further texts as one for each text: all first ones, then all second ones, and so on. */
function unfolded(examples: readonly Example[]): readonly Example[] {
  const count = examples[0]?.others?.length ?? 0
  return Array.from({ length: count + 1 }, (_, text) =>
    examples.map(example => (text === 0 ? example : { ids: example.others?.[text - 1] ?? [], labels: [] }))
  ).flat()
}

/** Examples as a batch, filled up on the right to the longest: ids by `padTokenId`, the mask by 0, labels by -100. */
export function collate(examples: readonly Example[], padTokenId: number): Batch {
  const texts = unfolded(examples)
  const longest = (part: 'ids' | 'labels') => Math.max(0, ...texts.map(({ [part]: row }) => row.length))
  const length = longest('ids')
  const areNumbers = examples.some(example => example.areNumbers)
  return {
    inputIds: padded(
      texts.map(({ ids }) => ids),
      length,
      padTokenId
    ),
    attentionMask: padded(
      texts.map(({ ids }) => ids.map(() => 1)),
      length,
      0
    ),
    labels: padded(
      examples.map(({ labels, areNumbers }) => (areNumbers ? [] : labels)),
      areNumbers ? 1 : longest('labels'),
      ignoredLabel
    ),
    ...(areNumbers && {
      numbers: float32(
        [examples.length, longest('labels')],
        examples.flatMap(({ labels }) => labels)
      )
    }),
    ...(examples.some(({ typeIds }) => typeIds !== undefined) && {
      tokenTypeIds: padded(
        examples.map(({ ids, typeIds }) => typeIds ?? ids.map(() => 0)),
        length,
        0
      )
    })
  }
}

/**
 * How many labels of the examples the loss is the mean of: the weight of a batch's loss. The first label of each row counts
 * only if the model's loss takes it.
 */
export function countLabels(
  examples: readonly Example[],
  { firstLabelCounts = true }: { readonly firstLabelCounts?: boolean } = {}
): number {
  const first = firstLabelCounts ? 0 : 1
  return examples.reduce(
    (sum, { labels, areNumbers }) =>
      sum + labels.filter((label, index) => areNumbers || (index >= first && label !== ignoredLabel)).length,
    0
  )
}

/** Tokens of the examples, padding not counted. */
export function countTokens(examples: readonly Example[]): number {
  return examples.reduce((sum, example) => sum + exampleLength(example), 0)
}

/** Tokens of an example, further texts among them. */
export function exampleLength({ ids, others = [] }: Example): number {
  return others.reduce((sum, other) => sum + other.length, ids.length)
}
