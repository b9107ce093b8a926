// Predicted classes from logits, with the expected ones. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { ignoredLabel } from '../data/example.ts'

/** Place of the greatest of `count` numbers from `first` on; the first of equal ones. */
function argmax(data: ArrayLike<number>, first: number, count: number): number {
  let best = 0
  for (let place = 1; place < count; place++) if (data[first + place]! > data[first + best]!) best = place
  return best
}

export interface Predictions {
  readonly expected: number[]
  readonly predicted: number[]
  /** how many labels each row has */
  readonly counts: number[]
}

/**
 * Labels [batch, positions] that are not ignored, each with the likeliest class by logits [batch, classes] of sequences, or
 * [batch, virtual tokens + positions, classes] of tokens.
 */
export function predictionsOf(logits: Float32Tensor, labels: Tensor<'int64'>): Predictions {
  const [batch, positions] = labels.shape as [number, number]
  const classes = logits.shape.at(-1)!
  const rows = logits.shape.length === 2 ? 1 : logits.shape[1]!
  if (logits.shape[0] !== batch || rows < positions) {
    throw new SwarmError('INTERNAL', `logits [${logits.shape}] do not belong to labels [${labels.shape}]`)
  }
  const found: Predictions = { expected: [], predicted: [], counts: [] }
  for (let row = 0; row < batch; row++) {
    const before = found.expected.length
    for (let position = 0; position < positions; position++) {
      const label = Number(labels.data[row * positions + position])
      if (label === ignoredLabel) continue
      found.expected.push(label)
      found.predicted.push(argmax(logits.data, (row * rows + rows - positions + position) * classes, classes))
    }
    found.counts.push(found.expected.length - before)
  }
  return found
}
