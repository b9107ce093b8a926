// Validates the logits of each row of a step. Knows no model.
import { SwarmError } from '../../common/errors.ts'
import type { Float32Tensor } from '../../common/tensor.ts'

/** Logits `[batch, vocab]`: the size of the vocabulary. */
export function checkLogits(logits: Float32Tensor, batch: number): number {
  const [rows, vocabulary] = logits.shape
  if (logits.shape.length !== 2 || rows !== batch || vocabulary === undefined) {
    throw new SwarmError('INTERNAL', `logits: expected [${batch}, vocab], found [${logits.shape}]`)
  }
  return vocabulary
}
