// Element types of checkpoints to float32. Knows bytes only.
import { SwarmError } from '../../common/errors.ts'
import { float16Table } from '../../common/half.ts'
import type { DType } from '../../common/tensor.ts'

/** dtypes that weights may be stored in */
const weightDtypes = ['float32', 'float16', 'bfloat16', 'float8e4m3fn'] as const satisfies readonly DType[]
export type WeightDType = (typeof weightDtypes)[number]

export function isWeightDtype(dtype: DType | null): dtype is WeightDType {
  return (weightDtypes as readonly (DType | null)[]).includes(dtype)
}

/** The float32 bits of one float8 E4M3 without infinities (OCP 8-bit floating point specification 1.0, section 5). */
function float8Bits(code: number): number {
  const sign = (code & 0x80) << 24
  const exponent = (code >> 3) & 0xf
  const fraction = code & 0x7
  if ((code & 0x7f) === 0x7f) return sign | 0x7fc00000
  if (exponent !== 0) return sign | ((exponent + 120) << 23) | (fraction << 20)
  if (fraction === 0) return sign
  const shift = Math.clz32(fraction) - 28
  return sign | ((121 - shift) << 23) | (((fraction << shift) & 0x7) << 20)
}

const float8Table = Uint32Array.from({ length: 0x100 }, (_, code) => float8Bits(code))

const single = new Float32Array(1)
const singleBits = new Uint32Array(single.buffer)

/** The number that a float16's bits represent. */
export function float16Value(bits: number): number {
  singleBits[0] = float16Table()[bits]!
  return single[0]!
}

/**
 * Writes the elements held in `bytes` (little endian) as float32 to `out` from `offset` on.
 * Non-finite values are kept.
 */
export function convertToFloat32(bytes: Uint8Array, dtype: WeightDType, out: Float32Array, offset: number): void {
  if (dtype === 'float32') {
    new Uint8Array(out.buffer, out.byteOffset + offset * 4, bytes.length).set(bytes)
    return
  }
  if (dtype === 'float8e4m3fn') {
    const to = new Uint32Array(out.buffer, out.byteOffset + offset * 4, bytes.length)
    for (let i = 0; i < bytes.length; i++) to[i] = float8Table[bytes[i]!]!
    return
  }
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes)
  const from = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2)
  const to = new Uint32Array(out.buffer, out.byteOffset + offset * 4, from.length)
  switch (dtype) {
    case 'bfloat16':
      for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16
      break
    case 'float16': {
      const table = float16Table()
      for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!
      break
    }
    default:
      throw new SwarmError('INTERNAL', `no conversion from ${dtype satisfies never} to float32`)
  }
}
