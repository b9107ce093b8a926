// Sequences cut along their positions. Knows no session.
import { type Float32Tensor, tensor } from './tensor.ts'

/** Positions `from` to `from + count - 1` of every row, [batch, seq, width] to [batch, count, width]: fewer where the sequence ends. */
export function slicePositions({ shape, data }: Float32Tensor, from: number, count: number): Float32Tensor {
  const [batch, seq, width] = shape as [number, number, number]
  const size = Math.min(count, seq - from)
  const slice = tensor('float32', [batch, size, width])
  for (let row = 0; row < batch; row++) {
    const start = (row * seq + from) * width
    slice.data.set(data.subarray(start, start + size * width), row * size * width)
  }
  return slice
}
