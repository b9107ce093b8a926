// Whether tensors hold numbers throughout. Pure; as fast as memory is read.
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'

const exponent = 0x7f800000
/** Added to an exponent of ones alone it reaches the highest bit. */
const one = 0x00800000

/** False if an element is NaN or infinite. */
export function allFinite(data: Float32Array): boolean {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length)
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = bits.length - (bits.length % 4)
  for (let at = 0; at < whole; at += 4) {
    a |= ((bits[at]! & exponent) + one) | 0
    b |= ((bits[at + 1]! & exponent) + one) | 0
    c |= ((bits[at + 2]! & exponent) + one) | 0
    d |= ((bits[at + 3]! & exponent) + one) | 0
  }
  for (let at = whole; at < bits.length; at++) a |= ((bits[at]! & exponent) + one) | 0
  return (a | b | c | d) >= 0
}

/** The same for hidden states [batch, seq, hidden], ignoring padding. */
export function tokensFinite(
  { shape, data }: Float32Tensor,
  isToken: (row: number, position: number) => boolean
): boolean {
  if (allFinite(data)) return true
  const [, seq, width] = shape as [number, number, number]
  for (let token = 0; token * width < data.length; token++) {
    if (!isToken(Math.floor(token / seq), token % seq)) continue
    if (!allFinite(data.subarray(token * width, (token + 1) * width))) return false
  }
  return true
}

/** The same of all float tensors with names. */
export function namedFinite(tensors: NamedTensors): boolean {
  return Object.values(tensors).every(({ dtype, data }) => dtype !== 'float32' || allFinite(data as Float32Array))
}

/**
 * Blocks of a sound model keep numbers up to this limit finite: its fourth power is far below the maximum of float32.
 */
const largestOrdinary = 2 ** 20

/** Whether the input explains an answer that is not finite: its numbers are huge, or not finite themselves. */
export function mayOverflow(tensors: NamedTensors): boolean {
  return Object.values(tensors).some(({ dtype, data }) => {
    if (dtype !== 'float32') return false
    for (const number of data as Float32Array) if (!(Math.abs(number) <= largestOrdinary)) return true
    return false
  })
}
