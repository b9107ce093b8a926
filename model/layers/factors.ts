// Changes of a linear module that are made of factors: Hadamard products (FedPara, arXiv 2108.06098, proposition 1), Kronecker
// products (LoKr, 2309.14859, section 3.2), and rotations of the input (OFT, 2306.07280; BOFT, 2311.06243, section 4). No matrix
// of the module's size is made of them.
import type { GraphBuilder } from '../../graph/builder.ts'
import { productOf } from '../../graph/dim.ts'
import type { Value } from '../../graph/graph.ts'

/** A low-rank matrix B A. */
interface Pair {
  /** [rank, in] */
  readonly a: Value
  /** [out, rank] */
  readonly b: Value
}

/** (B1 A1) ∘ (B2 A2), added to the weight. */
export interface HadamardPort {
  readonly first: Pair
  readonly second: Pair
}

/** A matrix, or the pair that it is made of. */
interface Factor {
  readonly matrix?: Value
  readonly a?: Value
  readonly b?: Value
}

/** left ⊗ right, added to the weight. */
export interface KroneckerPort {
  /** rows and columns of the left factor; those of the right one are what is left of the module's */
  readonly sizes: readonly [number, number]
  /** the module's outFeatures */
  readonly out: number
  readonly left: Factor
  readonly right: Factor
}

/** Blocks of a block-diagonal matrix [count, size, size] for each factor; count 1: the same block everywhere. */
export type RotationPort = readonly Value[]

/** All products of a row of one and a row of the other: [m, columns], [n, columns] -> [m * n, columns]. */
function rowProducts(g: GraphBuilder, one: Value, other: Value): Value {
  const products = g.Mul(g.Unsqueeze(one, [1]), g.Unsqueeze(other, [0]))
  return g.Reshape(products, [productOf([one.shape[0]!, other.shape[0]!]), one.shape[1]!])
}

/**
 * x ((B1 A1) ∘ (B2 A2))ᵀ: [..., in] -> [..., out]. A Hadamard product of two matrices of ranks m and n is one of rank m n: its A has all
 * products of rows of A1 and A2, its B those of columns of B1 and B2.
 */
export function hadamardProduct(g: GraphBuilder, x: Value, { first, second }: HadamardPort): Value {
  const a = rowProducts(g, first.a, second.a)
  const columns = (b: Value): Value => g.Transpose(b, { perm: [1, 0] })
  const b = rowProducts(g, columns(first.b), columns(second.b))
  return g.MatMul(g.FusedMatMul(x, a, { transB: true }), b)
}

/** x times a factor, transposed: [rows, columns of the factor] -> [rows, rows of the factor]. */
function factorProduct(g: GraphBuilder, x: Value, { matrix, a, b }: Factor): Value {
  if (matrix !== undefined) return g.FusedMatMul(x, matrix, { transB: true })
  return g.FusedMatMul(g.FusedMatMul(x, a!, { transB: true }), b!, { transB: true })
}

/** x (left ⊗ right)ᵀ: [..., in] -> [..., out] */
export function kroneckerProduct(g: GraphBuilder, x: Value, { sizes, out, left, right }: KroneckerPort): Value {
  const outer = x.shape.slice(0, -1)
  const [rows, columns] = sizes
  const tokens = productOf(outer)
  const inner = (x.shape.at(-1) as number) / columns
  // both factors multiply from the right: so the gradient of each is one product over all tokens
  const byRight = factorProduct(g, g.Reshape(x, [tokens, columns, inner]), right)
  const byLeft = factorProduct(g, g.Transpose(byRight, { perm: [0, 2, 1] }), left)
  return g.Reshape(g.Transpose(byLeft, { perm: [0, 2, 1] }), [...outer, rows * (out / rows)])
}

/**
 * Brings the pairs of half blocks together that a butterfly factor mixes: in groups of 2^factor blocks, half k of the first half of the
 * group with half k of the second. Undone by `inverse`.
 */
function butterfly(g: GraphBuilder, x: Value, size: number, factor: number, inverse = false): Value {
  if (factor === 0) return x
  const { shape } = x
  const width = shape.at(-1) as number
  const tokens = productOf(shape.slice(0, -1))
  const [group, half] = [2 ** factor, size / 2]
  const groups = width / (size * group)
  const parts = inverse ? [tokens, groups, group, 2, half] : [tokens, groups, 2, group, half]
  return g.Reshape(g.Transpose(g.Reshape(x, parts), { perm: [0, 1, 3, 2, 4] }), shape)
}

/** x times a block-diagonal matrix: [..., count * size] -> the same */
function blockProduct(g: GraphBuilder, x: Value, blocks: Value): Value {
  const { shape } = x
  const [count, size] = blocks.shape as [number, number]
  const tokens = productOf(shape.slice(0, -1))
  const width = shape.at(-1) as number
  if (count === 1) {
    const rows = g.Reshape(x, [productOf([tokens, width / size]), size])
    return g.Reshape(g.MatMul(rows, g.Reshape(blocks, [size, size])), shape)
  }
  const byBlock = g.Transpose(g.Reshape(x, [tokens, count, size]), { perm: [1, 0, 2] })
  return g.Reshape(g.Transpose(g.MatMul(byBlock, blocks), { perm: [1, 0, 2] }), shape)
}

/** The input of a module, rotated by each factor, the last one first: [..., in] -> the same. */
export function rotated(g: GraphBuilder, x: Value, factors: RotationPort): Value {
  let turned = x
  for (const [factor, blocks] of [...factors.entries()].reverse()) {
    const size = blocks.shape[1] as number
    turned = butterfly(g, blockProduct(g, butterfly(g, turned, size, factor), blocks), size, factor, true)
  }
  return turned
}
