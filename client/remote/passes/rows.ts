// Batches cut into rows and put together again.
import { type Float32Tensor, type Tensor, tensor } from '../../../common/tensor.ts'

/** Rows `first` to `end - 1` of a tensor, as a view. */
export function rowsOf<T extends Float32Tensor | Tensor<'int64'>>(source: T, first: number, end: number): T {
  const width = source.shape.slice(1).reduce((size, dim) => size * dim, 1)
  const data = source.data.subarray(first * width, end * width)
  return { ...source, shape: [end - first, ...source.shape.slice(1)], data }
}

/** Tensors one below the other: the opposite of `rowsOf`. */
export function joinRows(parts: readonly Float32Tensor[]): Float32Tensor {
  if (parts.length === 1) return parts[0]!
  const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0)
  const joined = tensor('float32', [rows, ...parts[0]!.shape.slice(1)])
  let at = 0
  for (const { data } of parts) {
    joined.data.set(data, at)
    at += data.length
  }
  return joined
}

/**
 * Ranges of rows of about `tokens` tokens each, at least one row: what travels through a chain on its own, so that
 * several servers compute at once.
 */
export function splitRows(batch: number, sequence: number, tokens: number): { first: number; end: number }[] {
  const parts = Math.max(1, Math.min(batch, Math.ceil((batch * sequence) / tokens)))
  return Array.from({ length: parts }, (_, part) => ({
    first: Math.floor((part * batch) / parts),
    end: Math.floor(((part + 1) * batch) / parts)
  }))
}
