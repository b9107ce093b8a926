// A tensor in host memory: element type, shape, row-major data. Computes nothing.
import { SwarmError } from './errors.ts'

/**
 * Element types with their typed array and width in bytes. float16 and bfloat16 hold raw bits in a Uint16Array, float8e4m3fn (OCP 8-bit floating point, no infinities) in a Uint8Array:
 * they are storage and wire formats here, arithmetic is in float32. uint4 holds two elements a byte, the first in the low half.
 */
export const dtypes = {
  float32: { array: Float32Array, bytes: 4 },
  float16: { array: Uint16Array, bytes: 2 },
  bfloat16: { array: Uint16Array, bytes: 2 },
  float8e4m3fn: { array: Uint8Array, bytes: 1 },
  int64: { array: BigInt64Array, bytes: 8 },
  int32: { array: Int32Array, bytes: 4 },
  int8: { array: Int8Array, bytes: 1 },
  uint8: { array: Uint8Array, bytes: 1 },
  uint4: { array: Uint8Array, bytes: 0.5 },
  bool: { array: Uint8Array, bytes: 1 }
} as const

export type DType = keyof typeof dtypes
export type DataOf<D extends DType> = InstanceType<(typeof dtypes)[D]['array']>

/** Numbers in memory, dense and row-major. */
export interface Tensor<D extends DType = DType> {
  /** type of the elements */
  readonly dtype: D
  /** sizes of the axes, outermost first; `[]` is a scalar */
  readonly shape: readonly number[]
  /** elements in row-major order */
  readonly data: DataOf<D>
}

/** What computing is done in; hidden states are [batch, seq, hidden]. */
export type Float32Tensor = Tensor<'float32'>

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1)
}

/** Bytes that a tensor of this type and shape takes, dense. */
export function bytesOf(dtype: DType, shape: readonly number[]): number {
  return Math.ceil(sizeOf(shape) * dtypes[dtype].bytes)
}

/** A tensor over `data`, or of zeros without it. Throws INTERNAL where data and shape disagree. */
export function tensor<D extends DType>(dtype: D, shape: readonly number[], data?: DataOf<D>): Tensor<D> {
  const size = sizeOf(shape)
  if (data !== undefined && data.length !== size) {
    throw new SwarmError('INTERNAL', `tensor [${shape}]: expected ${size} elements, found ${data.length}`)
  }
  return { dtype, shape, data: data ?? (new dtypes[dtype].array(size) as DataOf<D>) }
}

/** float32 tensor from numbers. */
export function float32(shape: readonly number[], values: ArrayLike<number>): Float32Tensor {
  return tensor('float32', shape, Float32Array.from(values))
}

/** int64 tensor from whole numbers. */
export function int64(shape: readonly number[], values: ArrayLike<number>): Tensor<'int64'> {
  return tensor('int64', shape, BigInt64Array.from(Array.from(values), BigInt))
}
