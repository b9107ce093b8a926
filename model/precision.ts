// In how many bits the matrices of a block are held. Norms and biases are float32 in all of them.
import { quantizedBlock } from '../graph/ops/quantized.ts'
import type { ExpectedTensor } from './family.ts'

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

/**
 * Bits of an element of a matrix where it is quantized, null where it stays float32: rows must consist of whole blocks of 32,
 * for 4 bits of pairs of blocks, whose zeros share a byte; of other rows int4 makes 8 bits.
 */
export function quantizedBits(precision: Precision, { rows, columns }: MatrixSizes): 4 | 8 | null {
  if (precision === 'float32' || rows < minRows || columns % quantizedBlock !== 0) return null
  return precision === 'int4' && columns % (2 * quantizedBlock) === 0 ? 4 : 8
}

/** Sizes of a block's tensor as a product's matrix, null for one that is none. */
export function matrixSizes({ shape }: Pick<ExpectedTensor, 'shape'>, transposed = false): MatrixSizes | null {
  if (shape.length !== 2) return null
  const [rows, columns] = (transposed ? shape.toReversed() : shape) as [number, number]
  return { rows, columns }
}

/** Names of a quantized tensor's parts, in files and graphs. */
export function partNames(name: string): { readonly values: string; readonly scales: string; readonly zeros: string } {
  return { values: `${name}.values`, scales: `${name}.scales`, zeros: `${name}.zeros` }
}
