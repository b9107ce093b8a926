// The quantizations of GGUF to float32. Bytes in, numbers out. Products are rounded as the reference does, so that results are equal.
// Source: ggml/src/ggml-quants.c (dequantize_row_*) and ggml-common.h (block_*) of llama.cpp; gguf-py/gguf/quants.py.
import { float16Value } from '../convert.ts'

export interface GgufQuantization {
  /** bytes of a block */
  readonly bytes: number
  /** elements of a block */
  readonly elements: number
  /** Writes the elements of one block, which begins at `at`, to `out` from `to` on. */
  decode(block: DataView, at: number, out: Float32Array, to: number): void
}

const { fround } = Math
/** added where there is no offset: the sum is the other number, also where that is -0 */
const nothing = -0
const float16 = (view: DataView, at: number): number => float16Value(view.getUint16(at, true))

/** 32 elements of 4 bits, the lower halves first: `scale * (q - zero) + offset`. */
function nibbles(headerBytes: number, zero: number): GgufQuantization {
  return {
    bytes: headerBytes + 16,
    elements: 32,
    decode(view, at, out, to) {
      const scale = float16(view, at)
      const offset = headerBytes === 4 ? float16(view, at + 2) : nothing
      for (let i = 0; i < 16; i++) {
        const byte = view.getUint8(at + headerBytes + i)
        out[to + i] = fround(scale * ((byte & 15) - zero)) + offset
        out[to + 16 + i] = fround(scale * ((byte >> 4) - zero)) + offset
      }
    }
  }
}

/** 32 elements of 5 bits; all fifth bits are stored together before the others. */
function fiveBits(headerBytes: number, zero: number): GgufQuantization {
  return {
    bytes: headerBytes + 4 + 16,
    elements: 32,
    decode(view, at, out, to) {
      const scale = float16(view, at)
      const offset = headerBytes === 4 ? float16(view, at + 2) : nothing
      const high = view.getUint32(at + headerBytes, true)
      for (let i = 0; i < 16; i++) {
        const byte = view.getUint8(at + headerBytes + 4 + i)
        const low = (byte & 15) | (((high >>> i) & 1) << 4)
        const upper = (byte >> 4) | (((high >>> (i + 16)) & 1) << 4)
        out[to + i] = fround(scale * (low - zero)) + offset
        out[to + 16 + i] = fround(scale * (upper - zero)) + offset
      }
    }
  }
}

const eightBits: GgufQuantization = {
  bytes: 34,
  elements: 32,
  decode(view, at, out, to) {
    const scale = float16(view, at)
    for (let i = 0; i < 32; i++) out[to + i] = scale * view.getInt8(at + 2 + i)
  }
}

/** Scale and minimum, 6 bits each, of one of the eight groups of a K block, out of 12 packed bytes at `at`. */
function scaleAndMinimum(view: DataView, at: number, group: number): readonly [scale: number, minimum: number] {
  const byte = (index: number) => view.getUint8(at + index)
  if (group < 4) return [byte(group) & 63, byte(group + 4) & 63]
  const packed = byte(group + 4)
  return [(packed & 15) | ((byte(group - 4) >> 6) << 4), (packed >> 4) | ((byte(group) >> 6) << 4)]
}

/** 256 elements in eight groups with scales and minima; `bits` 4, or 5 with the fifth bits before the others. */
function groups(bits: 4 | 5): GgufQuantization {
  const highBytes = bits === 5 ? 32 : 0
  return {
    bytes: 16 + highBytes + 128,
    elements: 256,
    decode(view, at, out, to) {
      const scale = float16(view, at)
      const minimum = float16(view, at + 2)
      for (let group = 0; group < 8; group++) {
        const [s, m] = scaleAndMinimum(view, at + 4, group)
        const step = fround(scale * s)
        const offset = fround(minimum * m)
        const low = at + 16 + highBytes + (group >> 1) * 32
        const shift = (group & 1) * 4
        for (let i = 0; i < 32; i++) {
          const fifth = bits === 5 ? ((view.getUint8(at + 16 + i) >> group) & 1) << 4 : 0
          const quantum = ((view.getUint8(low + i) >> shift) & 15) | fifth
          out[to + group * 32 + i] = fround(step * quantum) - offset
        }
      }
    }
  }
}

/** 256 elements of 6 bits in sixteen groups, each with a scale. */
const sixBits: GgufQuantization = {
  bytes: 210,
  elements: 256,
  decode(view, at, out, to) {
    const scale = float16(view, at + 208)
    for (let part = 0; part < 8; part++) {
      // parts of 32: four share a run of 64 low bytes and 32 high bytes
      const low = at + (part >> 2) * 64 + (part & 1) * 32
      const lowShift = (part & 2) * 2
      const high = at + 128 + (part >> 2) * 32
      const highShift = (part & 3) * 2
      for (let i = 0; i < 32; i++) {
        const bits = ((view.getUint8(low + i) >> lowShift) & 15) | (((view.getUint8(high + i) >> highShift) & 3) << 4)
        const step = fround(scale * view.getInt8(at + 192 + part * 2 + (i >> 4)))
        out[to + part * 32 + i] = step * (bits - 32)
      }
    }
  }
}

export const quantizations: Readonly<Record<string, GgufQuantization>> = {
  Q4_0: nibbles(2, 8),
  Q4_1: nibbles(4, 0),
  Q5_0: fiveBits(2, 16),
  Q5_1: fiveBits(4, 0),
  Q8_0: eightBits,
  Q4_K: groups(4),
  Q5_K: groups(5),
  Q6_K: sixBits
}

/** Writes the elements of whole blocks to `out` from `offset` on. */
export function dequantizeGguf(
  bytes: Uint8Array,
  quantization: GgufQuantization,
  out: Float32Array,
  offset: number
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { bytes: blockBytes, elements, decode } = quantization
  for (let at = 0, to = offset; at < bytes.length; at += blockBytes, to += elements) decode(view, at, out, to)
}
