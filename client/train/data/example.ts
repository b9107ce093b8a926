// One sequence of token ids with its labels: what every format of training data becomes.

import { ignoredLabel } from '../../../model/spans/loss.ts'

export { ignoredLabel }

/**
 * Of language modelling `labels[t]` is `ids[t]` or `ignoredLabel`, and the loss itself compares position t - 1 with label t; of token
 * classification one label a token, not shifted; of sequence classification exactly one label.
 */
export interface Example {
  /** tokens of the example */
  readonly ids: readonly number[]
  /** a label for each token, -100 where none is learned; or the class of the example */
  readonly labels: readonly number[]
}

/** Whether a loss can be taken of any of its tokens. */
export function hasLabels({ labels }: Example): boolean {
  return labels.some(label => label !== ignoredLabel)
}
