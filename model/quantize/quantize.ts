// Matrices in 4 or 8 bits an element. Every 32 elements of a row share a float32 scale and a whole zero: element = (value - zero)
// * scale. With 4 bits each block has an offset besides, which is added to all its elements; the offsets are columns of the
// quantized matrix behind its own (docs/decisions/0014). Knows numbers only.
import { hasRowZeros, type MatrixSizes, type Quantization, storedColumns } from './precision.ts'
import { type Fit, fitBeside, fitLine, fitScale, offsetOf, type QuantizedLine } from './quantize-block.ts'

/** The parts of a quantized matrix [rows, columns], each row by row, dense. */
export interface QuantizedParts {
  /** of 4 bits two a byte, the first in the low half */
  readonly values: Uint8Array<ArrayBuffer>
  /** [rows, columns / block] */
  readonly scales: Float32Array<ArrayBuffer>
  /** [rows, columns / block], packed as the values are */
  readonly zeros: Uint8Array<ArrayBuffer>
  /** the zeros with byte-aligned rows, if that differs */
  readonly rowZeros?: Uint8Array<ArrayBuffer>
}

/** Codes of 4 or 8 bits as they are stored. */
class Codes {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #bits: 4 | 8

  constructor(count: number, bits: 4 | 8) {
    this.bytes = new Uint8Array(Math.ceil((count * bits) / 8))
    this.#bits = bits
  }

  set(index: number, code: number): void {
    if (this.#bits === 8) this.bytes[index] = code
    else this.bytes[index >> 1]! |= code << (4 * (index & 1))
  }
}

function codeAt(bytes: Uint8Array, index: number, bits: 4 | 8): number {
  return bits === 8 ? bytes[index]! : (bytes[index >> 1]! >> (4 * (index & 1))) & 15
}

/**
 * Quantizes a matrix [rows, columns], columns a multiple of the block.
 * @param data row by row; column by column where transposed
 */
export function quantize(
  data: Float32Array,
  sizes: MatrixSizes,
  quantization: Quantization,
  options: { transposed?: boolean } = {}
): QuantizedParts {
  const { rows, columns } = sizes
  const { bits, block, offsets } = quantization
  const stored = storedColumns(sizes, quantization)
  const [blocks, ownBlocks] = [stored / block, columns / block]
  const values = new Codes(rows * stored, bits)
  const zeros = new Codes(rows * blocks, bits)
  const rowZeros = hasRowZeros(sizes, quantization) ? new Codes(rows * (blocks + 1), bits) : undefined
  const scales = new Float32Array(rows * blocks)
  /** the matrix's own columns, then the offsets */
  const row = new Float32Array(stored)
  const fit: Fit = { codes: new Uint8Array(block), trial: new Uint8Array(block), scale: 0, zero: 0 }
  const lines: QuantizedLine[] = Array.from({ length: ownBlocks }, () => ({ step: 0, start: 0 }))
  const put = (r: number, b: number): void => {
    const index = r * blocks + b
    scales[index] = fit.scale
    zeros.set(index, fit.zero)
    rowZeros?.set(r * (blocks + 1) + b, fit.zero)
    for (let i = 0; i < block; i++) values.set(index * block + i, fit.codes[i]!)
  }
  const part = (b: number): Float32Array => row.subarray(b * block, (b + 1) * block)
  for (let r = 0; r < rows; r++) {
    if (options.transposed) for (let c = 0; c < columns; c++) row[c] = data[c * rows + r]!
    else row.set(data.subarray(r * columns, (r + 1) * columns))
    if (offsets > 0) {
      row.fill(0, columns)
      for (let b = 0; b < ownBlocks; b++) {
        fitLine(part(b), bits, lines[b]!)
        row[columns + b] = offsetOf(lines[b]!, bits)
      }
      for (let b = ownBlocks; b < blocks; b++) {
        fitScale(part(b), bits, fit)
        put(r, b)
        // what the others have to make up for is what became of their offsets
        for (let i = 0; i < block; i++) row[b * block + i] = (fit.codes[i]! - fit.zero) * fit.scale
      }
    }
    for (let b = 0; b < ownBlocks; b++) {
      if (offsets > 0) fitBeside(part(b), bits, lines[b]!, row[columns + b]!, fit)
      else fitScale(part(b), bits, fit)
      put(r, b)
    }
  }
  return { values: values.bytes, scales, zeros: zeros.bytes, rowZeros: rowZeros?.bytes }
}

/** Dequantizes the parts to a matrix [rows, columns], row by row. */
export function dequantize(parts: QuantizedParts, sizes: MatrixSizes, quantization: Quantization): Float32Array {
  const { columns } = sizes
  const { bits, block, offsets } = quantization
  const stored = storedColumns(sizes, quantization)
  const element = (index: number): number => {
    const at = Math.floor(index / block)
    return (codeAt(parts.values, index, bits) - codeAt(parts.zeros, at, bits)) * parts.scales[at]!
  }
  return Float32Array.from({ length: sizes.rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns]
    const own = element(row * stored + column)
    return offsets === 0 ? own : own + element(row * stored + columns + Math.floor(column / block))
  })
}
