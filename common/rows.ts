// Rows of tensors cut, copied and joined. A row is an index of the first axis: one sequence of [batch, seq, width], one token of
// [tokens, width]. A place is a position of a row. Pure; computes nothing.
import { type Float32Tensor, sizeOf, type Tensor, tensor } from './tensor.ts'

/** One position of [batch, seq, width]. */
export type Place = readonly [row: number, position: number]

type Matrix = Pick<Float32Tensor, 'shape' | 'data'>

interface Subarray<T> {
  subarray(start: number, end: number): T
}

/** Row `row` of a matrix whose rows have `width` numbers, as a view of its data. */
export function rowView<T extends Subarray<T>>(data: T, width: number, row: number): T {
  return data.subarray(row * width, (row + 1) * width)
}

/** Rows `first` to `end - 1` of a tensor, [rows, …] to [end - first, …], as a view. */
export function rowsOf<T extends Float32Tensor | Tensor<'int64'>>(source: T, first: number, end: number): T {
  const inner = source.shape.slice(1)
  const width = sizeOf(inner)
  return { ...source, shape: [end - first, ...inner], data: source.data.subarray(first * width, end * width) }
}

/** Tensors one below the other, [rows, …] each: the opposite of `rowsOf`. One alone is returned as it is. */
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

/** `count` positions of one row of [batch, seq, width] from `place` on, [count, width] as a view of the data. */
export function positionsView({ shape, data }: Float32Tensor, [row, position]: Place, count: number): Float32Array {
  const width = shape[2]!
  const start = (row * shape[1]! + position) * width
  return data.subarray(start, start + count * width)
}

/** Writes positions, [count, width], into one row of [batch, seq, width] from `place` on. */
export function writePositions({ shape, data }: Float32Tensor, [row, position]: Place, values: Float32Array): void {
  data.set(values, (row * shape[1]! + position) * shape[2]!)
}

/** Copies `count` positions of one row into a row of another tensor; both are [batch, seq, width] of one width. */
export function copyPositions(
  source: Float32Tensor,
  from: Place,
  count: number,
  target: Float32Tensor,
  to: Place
): void {
  writePositions(target, to, positionsView(source, from, count))
}

/** Positions `from` to `from + count - 1` of every row, [batch, seq, width] to [batch, count, width]: fewer where the sequence ends. */
export function slicePositions(source: Float32Tensor, from: number, count: number): Float32Tensor {
  const [batch, seq, width] = source.shape as [number, number, number]
  const size = Math.min(count, seq - from)
  const slice = tensor('float32', [batch, size, width])
  for (let row = 0; row < batch; row++) copyPositions(source, [row, from], size, slice, [row, 0])
  return slice
}

/** The positions `at` (row * seq + position) of [batch, seq, width], in this order, as [rows, at / rows, width]. */
export function pickPositions({ shape, data }: Float32Tensor, at: readonly number[], rows: number): Float32Tensor {
  const width = shape[2]!
  const out = tensor('float32', [rows, at.length / rows, width])
  for (const [place, index] of at.entries()) out.data.set(rowView(data, width, index), place * width)
  return out
}

/** The gradient of positions that were picked out, as that of [batch, seq, width]: zeros where none was. */
export function scatterPositions(
  { data }: Float32Tensor,
  at: readonly number[],
  shape: readonly number[]
): Float32Tensor {
  const width = shape[2]!
  const out = tensor('float32', shape)
  for (const [place, index] of at.entries()) out.data.set(rowView(data, width, place), index * width)
  return out
}

/** The last token of each row, [batch, seq, width] padded on the right to [batch, 1, width]; zeros where a row has none. */
export function lastOfRows(hidden: Float32Tensor, lengths: readonly number[]): Float32Tensor {
  const [batch, , width] = hidden.shape as [number, number, number]
  const last = tensor('float32', [batch, 1, width])
  for (const [row, length] of lengths.entries()) {
    if (length > 0) copyPositions(hidden, [row, length - 1], 1, last, [row, 0])
  }
  return last
}

/** The opposite: [batch, 1, width] at the last token of each row of `shape`, zeros elsewhere. */
export function spreadLast(last: Float32Tensor, shape: readonly number[], lengths: readonly number[]): Float32Tensor {
  const whole = tensor('float32', shape)
  for (const [row, length] of lengths.entries()) {
    if (length > 0) copyPositions(last, [row, 0], 1, whole, [row, length - 1])
  }
  return whole
}

/** Tokens of each row of a mask, [batch, seq], 1 = token; without a mask all positions are tokens. */
export function tokensOfRows(mask: Tensor<'int64'> | undefined, batch: number, seq: number): number[] {
  return Array.from({ length: batch }, (_, row) => {
    if (mask === undefined) return seq
    let count = 0
    for (const value of rowView(mask.data, seq, row)) count += Number(value)
    return count
  })
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

/** Columns `first` to `first + count - 1` of [rows, columns], dense. */
export function sliceColumns({ shape, data }: Matrix, first: number, count: number): Float32Array<ArrayBuffer> {
  const [rows, columns] = shape as [number, number]
  const slice = new Float32Array(rows * count)
  for (let row = 0; row < rows; row++) {
    const start = row * columns + first
    slice.set(data.subarray(start, start + count), row * count)
  }
  return slice
}

/** Writes [rows, count], dense, into columns `first` to `first + count - 1` of [rows, columns]. */
export function writeColumns({ shape, data }: Matrix, first: number, values: Float32Array, count: number): void {
  const [rows, columns] = shape as [number, number]
  for (let row = 0; row < rows; row++) data.set(rowView(values, count, row), row * columns + first)
}
