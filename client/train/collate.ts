// Examples side by side in one batch. Pure.
import { int64, type Tensor } from '../../common/tensor.ts'
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
  /** -100 where no loss is taken */
  readonly labels: Tensor<'int64'>
}

function padded(rows: readonly (readonly number[])[], length: number, filler: number): Tensor<'int64'> {
  return int64(
    [rows.length, length],
    rows.flatMap(row => [...row, ...Array<number>(length - row.length).fill(filler)])
  )
}

/** Examples as a batch, filled up on the right to the longest: ids by `padTokenId`, the mask by 0, labels by -100. */
export function collate(examples: readonly Example[], padTokenId: number): Batch {
  const longest = (part: 'ids' | 'labels') => Math.max(0, ...examples.map(({ [part]: row }) => row.length))
  const length = longest('ids')
  return {
    inputIds: padded(
      examples.map(({ ids }) => ids),
      length,
      padTokenId
    ),
    attentionMask: padded(
      examples.map(({ ids }) => ids.map(() => 1)),
      length,
      0
    ),
    labels: padded(
      examples.map(({ labels }) => labels),
      longest('labels'),
      ignoredLabel
    )
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
    (sum, { labels }) => sum + labels.filter((label, index) => index >= first && label !== ignoredLabel).length,
    0
  )
}

/** Tokens of the examples, padding not counted. */
export function countTokens(examples: readonly Example[]): number {
  return examples.reduce((sum, { ids }) => sum + ids.length, 0)
}
