// One tensor's data: from the bytes of a file to float32, in pieces. Knows encodings, no formats and no models.

import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import { dtypes, type Float32Tensor, sizeOf } from '../../common/tensor.ts'
import { MiB } from '../../common/units.ts'
import { openLocalFile } from '../formats/byte-file.ts'
import { convertToFloat32, isWeightDtype } from '../formats/convert.ts'
import { dequantizeGguf, quantizations } from '../formats/gguf/dequantize.ts'
import { multiply } from '../formats/scale.ts'
import type { ReadLog, TensorInfo } from '../formats/tensor-info.ts'

/** Tensors are read in pieces of about this size, so that a large one costs no second copy. */
const readBytes = 16 * MiB

/** Visits the stored bytes of a tensor in pieces of whole `unitBytes`. */
export async function visitBytes(
  info: TensorInfo,
  reads: ReadLog,
  visit: (bytes: Uint8Array, done: number) => void,
  unitBytes = 1
): Promise<void> {
  await withResource(await openLocalFile(info.file), async file => {
    reads.tensorsRead.add(info.name)
    const piece = new Uint8Array(Math.min(Math.max(1, Math.floor(readBytes / unitBytes)) * unitBytes, info.length))
    for (let done = 0; done < info.length; done += piece.length) {
      const bytes = piece.subarray(0, Math.min(piece.length, info.length - done))
      await file.read(bytes, info.offset + done)
      reads.bytesRead += bytes.length
      visit(bytes, done)
    }
  })
}

/** Of reading a tensor. */
export interface ReadTensorOptions {
  readonly signal?: AbortSignal
  /** called with the number of newly decoded stored bytes */
  readonly onBytes?: (count: number) => void
}

/** How many stored bytes hold how many elements, and how they become float32. */
interface Decoder {
  readonly bytes: number
  readonly elements: number
  decode(bytes: Uint8Array, out: Float32Array, offset: number): void
}

function decoderOf({ dtype, file, name, encoding }: TensorInfo): Decoder {
  if (encoding?.quantization !== undefined) {
    const quantization = quantizations[encoding.quantization]
    if (quantization === undefined) {
      throw new SwarmError('UNSUPPORTED', `${file}: tensor '${name}': type ${encoding.quantization} is not supported`)
    }
    const { bytes, elements } = quantization
    return { bytes, elements, decode: (block, out, offset) => dequantizeGguf(block, quantization, out, offset) }
  }
  if (!isWeightDtype(dtype)) {
    throw new SwarmError('UNSUPPORTED', `${file}: tensor '${name}': dtype ${dtype} is not supported`)
  }
  const decode = (bytes: Uint8Array, out: Float32Array, offset: number) => convertToFloat32(bytes, dtype, out, offset)
  return { bytes: dtypes[dtype].bytes, elements: 1, decode }
}

/** Whether a tensor's type is one of ours, be it no weight's. */
export function isStoredAsKnown({ encoding }: TensorInfo): boolean {
  return encoding?.quantization === undefined || Object.hasOwn(quantizations, encoding.quantization)
}

/** Throws UNSUPPORTED for a tensor of a type that does not become float32. */
export function checkReadable(info: TensorInfo): void {
  decoderOf(info)
}

/** The elements of a tensor with strides, from all elements of its storage that it spans. */
function gather(from: Float32Array, shape: readonly number[], strides: readonly number[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(sizeOf(shape))
  const index = new Array<number>(shape.length).fill(0)
  let at = 0
  for (let element = 0; element < out.length; element++) {
    out[element] = from[at]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      at -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return out
}

/** Rows whose heads hold their rotary halves in turns, put one half after the other. `data` is [heads * headDim, columns]. */
function separateHalves(data: Float32Array, shape: readonly number[], heads: number): Float32Array<ArrayBuffer> {
  const [rows, columns] = [shape[0]!, sizeOf(shape.slice(1))]
  const half = rows / heads / 2
  const out = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / (2 * half))
    const [side, index] = [Math.floor(row / half) % 2, row % half]
    const from = head * 2 * half + index * 2 + side
    out.set(data.subarray(from * columns, (from + 1) * columns), row * columns)
  }
  return out
}

/**
 * A tensor converted to float32. Throws UNSUPPORTED for an unsupported dtype, BAD_CHECKPOINT if the file is truncated.
 */
export async function decodeTensor(
  info: TensorInfo,
  reads: ReadLog,
  options: ReadTensorOptions = {}
): Promise<Float32Tensor> {
  const { signal, onBytes } = options
  const { shape, encoding } = info
  const { bytes: unitBytes, elements, decode } = decoderOf(info)
  const stored = new Float32Array(encoding?.strides ? (info.length / unitBytes) * elements : sizeOf(shape))
  const visit = (bytes: Uint8Array, done: number) => {
    signal?.throwIfAborted()
    decode(bytes, stored, (done / unitBytes) * elements)
    onBytes?.(bytes.length)
  }
  await visitBytes(info, reads, visit, unitBytes)
  let data = encoding?.strides ? gather(stored, shape, encoding.strides) : stored
  if (encoding?.interleavedHeads) data = separateHalves(data, shape, encoding.interleavedHeads)
  if (encoding?.add) for (let index = 0; index < data.length; index++) data[index]! += encoding.add
  if (info.scale !== undefined) {
    const scales = await decodeTensor(info.scale.tensor, reads, { signal })
    multiply(data, shape, scales.data, info.scale.block)
  }
  return { dtype: 'float32', shape, data }
}
