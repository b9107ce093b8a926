// The precisions of a block's matrices. Norms and biases are always float32.
export const precisions = ['float32', 'int8', 'int4'] as const
export type Precision = (typeof precisions)[number]

/** Matrices of fewer rows stay float32: routers, which choose experts by small differences and weigh nothing. */
const minRows = 16

/** A matrix as products take it. */
export interface MatrixSizes {
  /** outputs of the product */
  readonly rows: number
  /** inputs of the product */
  readonly columns: number
}

/** How a matrix is held. */
export interface Quantization {
  readonly bits: 4 | 8
  /** elements of a row that share a scale and a zero */
  readonly block: 32
  /**
   * columns behind the matrix's own, each the offset of one of its blocks, times which the sum of the block's inputs is taken
   * (docs/decisions/0014); a multiple of the block, the last of them 0
   */
  readonly offsets: number
}

/** How a matrix is quantized, null where it stays float32: rows must consist of whole blocks. */
export function quantizationOf(
  precision: Precision,
  { rows, columns }: MatrixSizes,
  { sensitive = false }: { readonly sensitive?: boolean } = {}
): Quantization | null {
  if (precision === 'float32' || rows < minRows || columns % 32 !== 0) return null
  if (precision === 'int8' || sensitive) return { bits: 8, block: 32, offsets: 0 }
  return { bits: 4, block: 32, offsets: 32 * Math.ceil(columns / 32 / 32) }
}

/** Columns of a quantized matrix as they are stored. */
export function storedColumns({ columns }: MatrixSizes, { offsets }: Quantization): number {
  return columns + offsets
}

/** Sizes of a block's tensor as a product's matrix, null for one that is none. */
export function matrixSizes({ shape }: { readonly shape: readonly number[] }, transposed = false): MatrixSizes | null {
  if (shape.length !== 2) return null
  const [rows, columns] = (transposed ? shape.toReversed() : shape) as [number, number]
  return { rows, columns }
}

/** Shapes of a quantized tensor's parts in files, by the ends of their names. */
export function partShapes(
  sizes: MatrixSizes,
  quantization: Quantization
): Readonly<Record<string, readonly number[]>> {
  const { rows } = sizes
  const { bits, block } = quantization
  const columns = storedColumns(sizes, quantization)
  const blocks = columns / block
  const rowBytes = Math.ceil((blocks * bits) / 8)
  const dense = {
    values: [rows, (columns * bits) / 8],
    scales: [rows, blocks],
    zeros: [Math.ceil((rows * blocks * bits) / 8)]
  }
  return hasRowZeros(sizes, quantization) ? { ...dense, rowZeros: [rows, rowBytes] } : dense
}

/** Whether a row's zeros end within a byte: products want each row to begin with one, dequantization wants them dense. */
export function hasRowZeros(sizes: MatrixSizes, quantization: Quantization): boolean {
  return quantization.bits === 4 && (storedColumns(sizes, quantization) / quantization.block) % 2 === 1
}

/** Name of a quantized tensor's part, in files and graphs. */
export function partName(name: string, part: string): string {
  return `${name}.${part}`
}
