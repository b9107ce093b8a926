// Texts that follow each other in one sequence, some of them to be learned. Pure.
import { SwarmError } from '../../../common/errors.ts'
import { type Example, hasLabels, ignoredLabel } from './example.ts'
import type { EncodeContext } from './format.ts'

export interface Segment {
  readonly text: string
  readonly learned: boolean
}

export interface SegmentOptions {
  /** the first text gets the special tokens that the model expects; not where a template wrote them. Default true */
  readonly addSpecialTokens?: boolean
  /** the end token follows the last text. Default true */
  readonly addEos?: boolean
  readonly where: string
}

/**
 * The texts one after the other, each tokenized by itself, as a prompt is when the model is asked. The end token is learned. The first
 * token never has a label: nothing comes before it. Throws INVALID_ARGUMENT where nothing is left to learn.
 */
export function encodeSegments(
  segments: readonly Segment[],
  { tokenizer, eosTokenId, trainOnInputs }: Pick<EncodeContext, 'tokenizer' | 'eosTokenId' | 'trainOnInputs'>,
  { addSpecialTokens = true, addEos = true, where }: SegmentOptions
): Example {
  const ids: number[] = []
  const labels: number[] = []
  for (const [index, { text, learned }] of segments.entries()) {
    for (const id of tokenizer.encode(text, { addSpecialTokens: addSpecialTokens && index === 0 })) {
      ids.push(id)
      labels.push(learned || trainOnInputs ? id : ignoredLabel)
    }
  }
  if (addEos && eosTokenId !== undefined) {
    ids.push(eosTokenId)
    labels.push(eosTokenId)
  }
  labels[0] = ignoredLabel
  if (!hasLabels({ ids, labels })) throw new SwarmError('INVALID_ARGUMENT', `${where}: there are no tokens to learn`)
  return { ids, labels }
}
