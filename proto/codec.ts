// How float32 elements are written on the wire: as they are, or in half the bytes. Knows no tensors and no frames.
// All numbers are little endian, as every platform that runs Node and ONNX Runtime is.

/** the names callers use; the .proto file's enum `Codec` is `wireCodecs` */
export type Codec = 'fp32' | 'fp16' | 'bf16'

/** bytes of one float element */
export const codecWidth = { fp32: 4, fp16: 2, bf16: 2 } as const satisfies Record<Codec, number>

/**
 * float32 bits -> binary16 bits, rounded to nearest, ties to even (IEEE 754-2019, 4.3.1). Infinities stay, numbers too
 * large become infinite, a NaN stays a quiet NaN of the same sign.
 */
function toHalf(bits: number): number {
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

/** binary16 bits -> float32 bits, exact. */
function fromHalf(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  let significand = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (significand << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (significand << 13)
  if (significand === 0) return sign
  let biased = 113
  while ((significand & 0x400) === 0) {
    significand <<= 1
    biased--
  }
  return sign | (biased << 23) | ((significand & 0x3ff) << 13)
}

let halfTable: Uint32Array | undefined

/** float32 bits of all 65536 binary16 values, made on first use: one look-up instead of a dozen operations an element */
function halves(): Uint32Array {
  halfTable ??= Uint32Array.from({ length: 0x10000 }, (_, half) => fromHalf(half))
  return halfTable
}

const encoders = {
  fp16(from: Uint32Array, to: Uint16Array) {
    for (let i = 0; i < from.length; i++) to[i] = toHalf(from[i]!)
  },
  // bfloat16 is the upper half of float32; rounded to nearest, ties to even; NaNs are made quiet so that none turns infinite
  bf16(from: Uint32Array, to: Uint16Array) {
    for (let i = 0; i < from.length; i++) {
      const bits = from[i]!
      to[i] = (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
    }
  }
}

const decoders = {
  fp16(from: Uint16Array, to: Uint32Array) {
    const table = halves()
    for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!
  },
  bf16(from: Uint16Array, to: Uint32Array) {
    for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16
  }
}

/** The bytes of `data` on the wire. For fp32 a view of `data`, no copy: do not change it before it is sent. */
export function encodeFloats(data: Float32Array, codec: Codec): Uint8Array {
  if (codec === 'fp32') return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const words = new Uint16Array(data.length)
  encoders[codec](new Uint32Array(data.buffer, data.byteOffset, data.length), words)
  return new Uint8Array(words.buffer)
}

/** The elements written in `bytes`. For fp32 a view of `bytes` where it is aligned, else a copy. */
export function decodeFloats(bytes: Uint8Array, codec: Codec): Float32Array {
  const aligned = bytes.byteOffset % codecWidth[codec] === 0 ? bytes : new Uint8Array(bytes)
  const length = bytes.byteLength / codecWidth[codec]
  if (codec === 'fp32') return new Float32Array(aligned.buffer, aligned.byteOffset, length)
  const bits = new Uint32Array(length)
  decoders[codec](new Uint16Array(aligned.buffer, aligned.byteOffset, length), bits)
  return new Float32Array(bits.buffer)
}
