// float16 (IEEE 754 binary16) to float32, exact: checkpoints hold it and frames carry it.

/** The float32 bits of one float16, given by its bits. */
function float16Bits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  // subnormal: the first digit of the fraction becomes the hidden one
  const shift = Math.clz32(fraction) - 21
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
}

/** A constant, made when it is first needed: 256 KiB. */
let table: Uint32Array | undefined

/** The float32 bits of every float16, by its bits: a look-up is several times faster than arithmetic. */
export function float16Table(): Uint32Array {
  table ??= Uint32Array.from({ length: 0x10000 }, (_, half) => float16Bits(half))
  return table
}
