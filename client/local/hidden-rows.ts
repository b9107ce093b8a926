// Single positions of hidden states picked out, and their gradients put back. Pure.
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'

/** The positions `at` (row * seq + position) of [batch, seq, width], in this order, as [rows, at / rows, width]. */
export function pickPositions(hidden: Float32Tensor, at: readonly number[], rows: number): Float32Tensor {
  const width = hidden.shape[2]!
  const out = tensor('float32', [rows, at.length / rows, width])
  for (const [place, index] of at.entries()) {
    out.data.set(hidden.data.subarray(index * width, (index + 1) * width), place * width)
  }
  return out
}

/** The gradient of positions that were picked out, as that of [batch, seq, width]: zeros where none was. */
export function scatterPositions(
  gradient: Float32Tensor,
  at: readonly number[],
  shape: readonly number[]
): Float32Tensor {
  const width = shape[2]!
  const out = tensor('float32', shape)
  for (const [place, index] of at.entries()) {
    out.data.set(gradient.data.subarray(place * width, (place + 1) * width), index * width)
  }
  return out
}

/** The last token of every row of [batch, before + seq], whatever padding there is: row * (before + seq) + position. */
export function lastTokens(mask: Tensor<'int64'> | undefined, shape: readonly number[], before: number): number[] {
  const [batch, sequence] = shape as [number, number]
  return Array.from({ length: batch }, (_, row) => {
    const last =
      mask === undefined ? sequence - 1 : mask.data.lastIndexOf(1n, (row + 1) * sequence - 1) - row * sequence
    // a row of nothing but padding
    return row * (before + sequence) + before + (last < 0 ? sequence - 1 : last)
  })
}
