// Matrices in 4 or 8 bits an element. Every 32 elements of a row share a float32 scale and a whole zero: element = (value - zero)
// * scale. Knows numbers only.
import { quantizedBlock } from '../graph/ops/quantized.ts'
import type { MatrixSizes } from './precision.ts'

/** The parts of a quantized matrix [rows, columns], each row by row, dense. */
export interface QuantizedParts {
  /** of 4 bits two a byte, the first in the low half */
  readonly values: Uint8Array<ArrayBuffer>
  /** [rows, columns / 32] */
  readonly scales: Float32Array<ArrayBuffer>
  /** [rows, columns / 32], packed as the values are */
  readonly zeros: Uint8Array<ArrayBuffer>
}

interface Step {
  readonly scale: number
  readonly zero: number
}

/** Parts of the range from the least to the greatest element of a block that 4 bits are tried on. */
const clippings = [1, 0.95, 0.9, 0.85, 0.8]

/** Writes the codes of the elements from `at` on and gives the sum of their squared errors, with the scale that makes it least. */
function encode(
  data: Float32Array,
  at: number,
  { scale, zero }: Step,
  most: number,
  codes: Uint8Array
): Step & { error: number } {
  let [product, square, total] = [0, 0, 0]
  for (let i = 0; i < quantizedBlock; i++) {
    const value = data[at + i]!
    const code = Math.min(most, Math.max(0, Math.round(value / scale) + zero))
    codes[i] = code
    const distance = code - zero
    product += value * distance
    square += distance * distance
    total += value * value
  }
  const best = square === 0 ? scale : product / square
  return { scale: best, zero, error: total - best * product }
}

/** The scale and zero of the 32 elements from `at` on, whose codes are left in `codes`. */
function quantizeBlock(data: Float32Array, at: number, bits: 4 | 8, codes: Uint8Array, trial: Uint8Array): Step {
  const most = 2 ** bits - 1
  let [low, high] = [0, 0]
  for (let i = 0; i < quantizedBlock; i++) {
    const value = data[at + i]!
    if (value < low) low = value
    else if (value > high) high = value
  }
  if (high === low) {
    codes.fill(0)
    return { scale: 0, zero: 0 }
  }
  let best: (Step & { error: number }) | undefined
  for (const clipping of bits === 8 ? [1] : clippings) {
    const scale = ((high - low) * clipping) / most
    const zero = Math.min(most, Math.max(0, Math.round((-low * clipping) / scale)))
    const found = encode(data, at, { scale, zero }, most, trial)
    if (best !== undefined && found.error >= best.error) continue
    best = found
    codes.set(trial)
  }
  return best!
}

/**
 * Quantizes a matrix [rows, columns], columns a multiple of 32, for 4 bits of 64. Each block's range reaches from its least to its
 * greatest element, and 0 (at 4 bits a part of that, where it errs less); its scale is the one that errs least, squared.
 * @param data row by row; column by column where transposed
 */
export function quantize(
  data: Float32Array,
  { rows, columns }: MatrixSizes,
  bits: 4 | 8,
  options: { transposed?: boolean } = {}
): QuantizedParts {
  const blocks = columns / quantizedBlock
  const perByte = 8 / bits
  const values = new Uint8Array((rows * columns) / perByte)
  const scales = new Float32Array(rows * blocks)
  const zeros = new Uint8Array((rows * blocks) / perByte)
  const row = new Float32Array(columns)
  const [codes, trial] = [new Uint8Array(quantizedBlock), new Uint8Array(quantizedBlock)]
  const put = (packed: Uint8Array, index: number, code: number): void => {
    if (bits === 8) packed[index] = code
    else packed[index >> 1]! |= code << (4 * (index & 1))
  }
  for (let r = 0; r < rows; r++) {
    if (options.transposed) for (let c = 0; c < columns; c++) row[c] = data[c * rows + r]!
    else row.set(data.subarray(r * columns, (r + 1) * columns))
    for (let block = 0; block < blocks; block++) {
      const index = r * blocks + block
      const { scale, zero } = quantizeBlock(row, block * quantizedBlock, bits, codes, trial)
      scales[index] = scale
      put(zeros, index, zero)
      for (let i = 0; i < quantizedBlock; i++) put(values, index * quantizedBlock + i, codes[i]!)
    }
  }
  return { values, scales, zeros }
}

/** The matrix that the parts stand for, [rows, columns] row by row. */
export function dequantize(parts: QuantizedParts, { rows, columns }: MatrixSizes, bits: 4 | 8): Float32Array {
  const get = (packed: Uint8Array, index: number): number =>
    bits === 8 ? packed[index]! : (packed[index >> 1]! >> (4 * (index & 1))) & 15
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const block = Math.floor(index / quantizedBlock)
    return (get(parts.values, index) - get(parts.zeros, block)) * parts.scales[block]!
  })
}
