// How float32 elements are written on the wire: as they are, in half the bytes, or in a quarter. Knows no frames.
// All numbers are little endian, as every platform that runs Node and ONNX Runtime is.
import { float16Table } from '../common/half.ts'
import { type Float32Tensor, sizeOf } from '../common/tensor.ts'
import { int8Bytes, int8Floats, int8Pieces } from './int8.ts'

/** the names callers use; the .proto file's enum `Codec` is `wireCodecs` */
export type Codec = 'fp32' | 'fp16' | 'bf16' | 'int8'

export const codecNames = ['fp32', 'fp16', 'bf16', 'int8'] as const satisfies readonly Codec[]

/**
 * float32 bits -> binary16 bits, rounded to nearest, ties to even (IEEE 754-2019, 4.3.1). Infinities stay, numbers too
 * large become infinite, a NaN stays a quiet NaN of the same sign.
 */
export function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  if (magnitude >= 0x38800000) {
    // normal: rebias the exponent by 112, round at bit 13 (a carry runs into the exponent, as it should)
    return sign | ((magnitude + 0xc8000fff + ((magnitude >>> 13) & 1)) >>> 13)
  }
  if (magnitude < 0x33000000) return sign
  // subnormal: shift the significand with its hidden bit into place
  const shift = 126 - (magnitude >>> 23)
  const significand = (magnitude & 0x7fffff) | 0x800000
  const kept = significand >>> shift
  const rest = significand & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0))
}

/** Node 22 has none yet */
const Halves = globalThis.Float16Array as typeof Float16Array | undefined

function encodeHalves(from: Float32Array): Uint8Array {
  if (Halves !== undefined) return new Uint8Array(new Halves(from).buffer)
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length)
  const words = new Uint16Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = toHalf(bits[i]!)
  return new Uint8Array(words.buffer)
}

/** bfloat16 is the upper half of float32; rounded to nearest, ties to even; NaNs are made quiet so that none turns infinite */
function encodeBrainFloats(from: Float32Array): Uint8Array {
  const bits = new Int32Array(from.buffer, from.byteOffset, from.length)
  const words = new Uint16Array(bits.length)
  // without a branch for NaN the loop is twice as fast
  let room = 0
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!
    room |= 0x7f800000 - (word & 0x7fffffff)
    words[i] = (((word + 0x7fff) | 0) + ((word >>> 16) & 1)) >>> 16
  }
  if (room < 0) {
    for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7fffffff) > 0x7f800000) words[i] = (bits[i]! >>> 16) | 0x40
  }
  return new Uint8Array(words.buffer)
}

function decodeHalves(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const from = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  const to = new Uint32Array(from.length)
  const table = float16Table()
  for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!
  return new Float32Array(to.buffer)
}

function decodeBrainFloats(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const from = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  const to = new Uint32Array(from.length)
  for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16
  return new Float32Array(to.buffer)
}

/** Float32Tensor in rows of `rowLength`, the size of a tensor's last axis. */
interface Encoding {
  /** where the encoded elements must begin to be read where they lie */
  readonly alignment: number
  /** of that many elements */
  bytes(elements: number, rowLength: number): number
  /** in pieces of at most `maxBytes`, a multiple of 8; those of fp32 are views of `data` */
  pieces(data: Float32Array, rowLength: number, maxBytes: number): Iterable<Uint8Array>
  /** of aligned bytes; for fp32 a view */
  decode(bytes: Uint8Array<ArrayBuffer>, elements: number, rowLength: number): Float32Array<ArrayBuffer>
}

function* cut(data: Float32Array, step: number, encode: (part: Float32Array) => Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < data.length; at += step) yield encode(data.subarray(at, at + step))
}

const encodings = {
  fp32: {
    alignment: 4,
    bytes: elements => 4 * elements,
    pieces: (data, _, maxBytes) =>
      cut(data, maxBytes / 4, part => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)),
    decode: (bytes, elements) => new Float32Array(bytes.buffer, bytes.byteOffset, elements)
  },
  fp16: {
    alignment: 2,
    bytes: elements => 2 * elements,
    pieces: (data, _, maxBytes) => cut(data, maxBytes / 2, encodeHalves),
    decode: decodeHalves
  },
  bf16: {
    alignment: 2,
    bytes: elements => 2 * elements,
    pieces: (data, _, maxBytes) => cut(data, maxBytes / 2, encodeBrainFloats),
    decode: decodeBrainFloats
  },
  int8: { alignment: 4, bytes: int8Bytes, pieces: int8Pieces, decode: int8Floats }
} as const satisfies Record<Codec, Encoding>

const rowLengthOf = (shape: readonly number[]) => shape.at(-1) ?? 1

/** Bytes of a float tensor of this shape on the wire. */
export function encodedBytes(shape: readonly number[], codec: Codec): number {
  return encodings[codec].bytes(sizeOf(shape), rowLengthOf(shape))
}

/** Tensors that begin at a multiple of it are decoded without a copy of their bytes. */
export function alignmentOf(codec: Codec): number {
  return encodings[codec].alignment
}

/**
 * The bytes of a tensor on the wire, in pieces of at most `maxBytes` (a multiple of 8), made when they are asked for. For
 * fp32 views of the tensor, no copies: do not change it before they are sent.
 */
export function encodePieces({ shape, data }: Float32Tensor, codec: Codec, maxBytes: number): Iterable<Uint8Array> {
  return encodings[codec].pieces(data, rowLengthOf(shape), maxBytes)
}

/** The elements of a tensor written in `bytes`. For fp32 a view of them where they are aligned, else a copy. */
export function decodeFloats(bytes: Uint8Array, shape: readonly number[], codec: Codec): Float32Array<ArrayBuffer> {
  const { alignment, decode } = encodings[codec]
  const aligned = bytes.byteOffset % alignment === 0 ? bytes : new Uint8Array(bytes)
  return decode(aligned as Uint8Array<ArrayBuffer>, sizeOf(shape), rowLengthOf(shape))
}
