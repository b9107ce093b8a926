// One sequence of token ids with its labels: what every format of training data becomes.

import { ignoredLabel } from '../../../model/spans/loss.ts'

export { ignoredLabel }

/** A question with a piece of its context, for finding its answer in the text. */
export interface AskedQuestion {
  /** pieces of one question have the same */
  readonly id: string
  readonly context: string
  /** what is right; empty: the context has no answer */
  readonly answers: readonly string[]
  /** of each token of the example: its place in the context, in UTF-16 units; null of others */
  readonly places: readonly ({ readonly start: number; readonly end: number } | null)[]
}

/**
 * Of language modelling `labels[t]` is `ids[t]` or `ignoredLabel`, and the loss itself compares position t - 1 with label t; of token
 * classification one label a token, not shifted; of sequence classification exactly one label, or a number for each class; of sequence
 * to sequence what is to be written; of questions the first and the last token of the answer; of pairs of texts their similarity, if known.
 */
export interface Example {
  /** tokens of the example */
  readonly ids: readonly number[]
  /** a label for each token, -100 where none is learned; or the class of the example */
  readonly labels: readonly number[]
  /** labels are measured values, or 0 and 1 for each class, and not numbers of classes or tokens */
  readonly areNumbers?: true
  /** token types; absent: all are 0 */
  readonly typeIds?: readonly number[]
  /** tokens of further texts that this one is compared with */
  readonly others?: readonly (readonly number[])[]
  readonly question?: AskedQuestion
}

/** Whether a loss can be taken of any of its tokens. */
export function hasLabels({ labels }: Example): boolean {
  return labels.some(label => label !== ignoredLabel)
}
