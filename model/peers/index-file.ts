// Validates a peer's index of tensors, and lays the tensors out as one file. Pure.

import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { bytesOf, type DType, dtypes, sizeOf } from '../../common/tensor.ts'
import { quantizations } from '../formats/gguf/dequantize.ts'
import type { TensorEncoding, TensorInfo } from '../formats/tensor-info.ts'
import { isJsonObject } from '../json.ts'

/** Tensors begin at multiples of this, so that they can be mapped. */
const alignment = 64
const maxTensors = 1_000_000

export interface PeerLayout {
  readonly name: string
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** bytes of the file that holds all of them */
  readonly size: number
}

function bad(what: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `index of a peer: ${what}`)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0)
}

function parseEncoding(name: string, value: unknown, shape: readonly number[]): TensorEncoding | undefined {
  if (value === undefined) return undefined
  if (!isJsonObject(value)) throw bad(`tensor '${name}': bad encoding`)
  const { quantization, strides, interleavedHeads, add } = value
  const known = typeof quantization === 'string' && Object.hasOwn(quantizations, quantization)
  const evenly =
    Number.isSafeInteger(interleavedHeads) && (shape[0] ?? 0) % (2 * Math.max(1, Number(interleavedHeads))) === 0
  const sound =
    (quantization === undefined || known) &&
    (strides === undefined || (isSizes(strides) && strides.length === shape.length)) &&
    (interleavedHeads === undefined || evenly) &&
    (add === undefined || Number.isFinite(add))
  if (!sound) throw bad(`tensor '${name}': encoding ${quoteForeign(value)} is not one of ours`)
  return value as TensorEncoding
}

function storedLength(dtype: DType, shape: readonly number[], encoding: TensorEncoding | undefined): number {
  if (encoding?.quantization !== undefined) {
    const { bytes, elements } = quantizations[encoding.quantization]!
    return (sizeOf(shape) / elements) * bytes
  }
  if (encoding?.strides === undefined) return bytesOf(dtype, shape)
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * encoding.strides![axis]!, 1)
  return last * dtypes[dtype].bytes
}

function parseTensor(value: unknown): Omit<TensorInfo, 'file' | 'offset'> {
  const { name, dtype, shape, length, encoding } = isJsonObject(value) ? value : {}
  if (typeof name !== 'string' || typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype) || !isSizes(shape)) {
    throw bad(`expected tensors with name, dtype and shape, found ${quoteForeign(value)}`)
  }
  const parsed = parseEncoding(name, encoding, shape)
  const expected = storedLength(dtype as DType, shape, parsed)
  if (length !== expected || !Number.isSafeInteger(expected)) {
    throw bad(`tensor '${name}' ${dtype} [${shape}]: expected ${expected} bytes, found ${length}`)
  }
  return { name, dtype: dtype as DType, shape, length: expected, ...(parsed ? { encoding: parsed } : {}) }
}

/** Places every tensor of the index in the file `path`. Throws BAD_CHECKPOINT for an index that is not sound. */
export function layOut(index: unknown, path: string): PeerLayout {
  const { name, tensors } = isJsonObject(index) ? index : {}
  if (typeof name !== 'string' || !Array.isArray(tensors) || tensors.length > maxTensors) {
    throw bad('expected a name and tensors')
  }
  const placed = new Map<string, TensorInfo>()
  let size = 0
  for (const tensor of tensors.map(parseTensor)) {
    if (placed.has(tensor.name)) continue // tied ones may be listed twice
    placed.set(tensor.name, { ...tensor, file: path, offset: size })
    size = Math.ceil((size + tensor.length) / alignment) * alignment
  }
  return { name, tensors: placed, size }
}
