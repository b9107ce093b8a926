// The deviation of two results, in units of the tolerance: above 1 is too far. Pure.
import type { Float32Tensor } from '../../common/tensor.ts'
import type { NamedTensors } from '../../proto/frame.ts'
import type { Tolerance } from './tolerance.ts'

/** Trained tensors with a gradient this small relative to the others are ignored. */
const leastShare = 1e-3

const lengthOf = (values: Float32Array): number => Math.hypot(...norms(values))

/** Lengths of pieces: `Math.hypot` accepts a limited number of arguments. */
function norms(values: Float32Array): number[] {
  const pieces: number[] = []
  for (let at = 0; at < values.length; at += 4096) {
    let sum = 0
    for (const value of values.subarray(at, at + 4096)) sum += value * value
    pieces.push(Math.sqrt(sum))
  }
  return pieces
}

/** What is not a number deviates without end. */
const ratio = (difference: number, allowed: number): number => {
  if (difference === 0) return 0
  const found = difference / allowed
  return Number.isNaN(found) ? Infinity : found
}

/**
 * Hidden states, or their gradients, of the same blocks: the worst token's. A server that returns its input deviates by
 * everything that the blocks add, even if that is small beside the hidden states.
 * @param input of the blocks, [batch, seq, hidden] as the others
 * @param isKnown tokens that are compared; default all
 */
export function hiddenDeviation(
  {
    claimed,
    reference,
    input
  }: { readonly claimed: Float32Tensor; readonly reference: Float32Tensor; readonly input: Float32Tensor },
  tolerance: Tolerance,
  isKnown: (row: number, position: number) => boolean = () => true
): number {
  const [batch, seq, width] = reference.shape as [number, number, number]
  let worst = 0
  for (let token = 0; token < batch * seq; token++) {
    if (!isKnown(Math.floor(token / seq), token % seq)) continue
    let [difference, update, whole] = [0, 0, 0]
    for (let at = token * width; at < (token + 1) * width; at++) {
      const value = reference.data[at]!
      difference += (claimed.data[at]! - value) ** 2
      update += (value - input.data[at]!) ** 2
      whole += value ** 2
    }
    const allowed = tolerance.update * Math.sqrt(update) + tolerance.whole * Math.sqrt(whole)
    worst = Math.max(worst, ratio(Math.sqrt(difference), allowed))
  }
  return worst
}

/** Gradients of trained tensors: the worst tensor's. */
export function portsDeviation(claimed: NamedTensors, reference: NamedTensors, tolerance: Tolerance): number {
  const lengths = Object.values(reference).map(({ data }) => lengthOf(data as Float32Array))
  const least = leastShare * Math.max(0, ...lengths)
  let worst = 0
  for (const [index, [name, { data }]] of Object.entries(reference).entries()) {
    const found = claimed[name]!.data as Float32Array
    const difference = (data as Float32Array).map((value, at) => found[at]! - value)
    worst = Math.max(worst, ratio(lengthOf(difference), tolerance.update * Math.max(lengths[index]!, least)))
  }
  return worst
}
