// Decompositions of weights, from which adapters begin: the parts of largest and smallest singular values, and of a QR decomposition.
// Sums in double precision. Signs of singular vectors mean nothing; the products do.
import { createRandom } from '../../../common/random.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import { transpose } from '../../local/changed-weight.ts'

/** A rank's part of a matrix [rows, columns]: U diag(S) V. */
export interface SingularPart {
  /** [rows, rank], row-major */
  readonly u: Float64Array
  /** [rank], the largest first */
  readonly s: Float64Array
  /** [rank, columns], row-major */
  readonly v: Float64Array
}

/** Vectors one after the other. */
interface Vectors {
  readonly count: number
  readonly size: number
  readonly data: Float64Array
}

const vectorAt = ({ data, size }: Vectors, index: number): Float64Array =>
  data.subarray(index * size, (index + 1) * size)

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function addScaled(into: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < into.length; i++) into[i]! += factor * from[i]!
}

/** W v for a matrix [rows, columns] */
function times({ shape, data }: Float32Tensor, v: Float64Array): Float64Array {
  const [rows, columns] = shape as [number, number]
  const out = new Float64Array(rows)
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = 0
    for (let column = 0; column < columns; column++, at++) sum += data[at]! * v[column]!
    out[row] = sum
  }
  return out
}

/** Wᵀ u */
function timesTransposed({ shape, data }: Float32Tensor, u: Float64Array): Float64Array {
  const [rows, columns] = shape as [number, number]
  const out = new Float64Array(columns)
  for (let row = 0, at = 0; row < rows; row++) {
    const factor = u[row]!
    for (let column = 0; column < columns; column++, at++) out[column]! += data[at]! * factor
  }
  return out
}

/** What is left of a vector beside an orthonormal basis, twice over against rounding; null where that is only rounding. */
function orthogonalTo(basis: readonly Float64Array[], vector: Float64Array): Float64Array | null {
  const rest = vector.slice()
  const before = Math.sqrt(dot(rest, rest))
  for (const other of [...basis, ...basis]) addScaled(rest, other, -dot(rest, other))
  const norm = Math.sqrt(dot(rest, rest))
  if (!(norm > 1e-10 * before) || norm === 0) return null
  for (let i = 0; i < rest.length; i++) rest[i]! /= norm
  return rest
}

/** Sweeps after which Jacobi's rotations have always come to rest. */
const maxSweeps = 60

/**
 * Rotates pairs of vectors until all are orthogonal (one-sided Jacobi, Hestenes 1958), `along` with them. Then their lengths are the
 * singular values of the matrix that has them as columns.
 */
function orthogonalize(vectors: Vectors, along: Vectors): void {
  const rotate = (of: Vectors, i: number, j: number, cos: number, sin: number): void => {
    const [a, b] = [vectorAt(of, i), vectorAt(of, j)]
    for (let k = 0; k < a.length; k++) {
      const [x, y] = [a[k]!, b[k]!]
      a[k] = cos * x - sin * y
      b[k] = sin * x + cos * y
    }
  }
  const { count } = vectors
  for (let sweep = 0, rotated = true; rotated && sweep < maxSweeps; sweep++) {
    rotated = false
    for (let i = 0; i < count; i++) {
      for (let j = i + 1; j < count; j++) {
        const [a, b] = [vectorAt(vectors, i), vectorAt(vectors, j)]
        const [alpha, beta, gamma] = [dot(a, a), dot(b, b), dot(a, b)]
        if (Math.abs(gamma) <= 1e-13 * Math.sqrt(alpha * beta)) continue
        rotated = true
        const zeta = (beta - alpha) / (2 * gamma)
        const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
        const cos = 1 / Math.sqrt(1 + tangent * tangent)
        rotate(vectors, i, j, cos, cos * tangent)
        rotate(along, i, j, cos, cos * tangent)
      }
    }
  }
}

function identity(size: number): Vectors {
  const data = new Float64Array(size * size)
  for (let i = 0; i < size; i++) data[i * size + i] = 1
  return { count: size, size, data }
}

/** Singular triples of W restricted to an orthonormal basis of its columns' space, the largest first. */
function within(weight: Float32Tensor, basis: readonly Float64Array[]) {
  const rows = weight.shape[0]!
  const images: Vectors = { count: basis.length, size: rows, data: new Float64Array(basis.length * rows) }
  for (const [index, vector] of basis.entries()) images.data.set(times(weight, vector), index * rows)
  const turns = identity(basis.length)
  orthogonalize(images, turns)
  const order = basis.map((_, index) => ({
    index,
    value: Math.sqrt(dot(vectorAt(images, index), vectorAt(images, index)))
  }))
  order.sort((a, b) => b.value - a.value)
  return order.map(({ index, value }) => ({
    value,
    left: (): Float64Array => vectorAt(images, index).map(each => (value === 0 ? 0 : each / value)),
    right: (): Float64Array => {
      const right = new Float64Array(weight.shape[1]!)
      for (const [k, vector] of basis.entries()) addScaled(right, vector, vectorAt(turns, index)[k]!)
      return right
    }
  }))
}

/** Part of the largest singular value that what is missing of a vector may be. */
const tolerance = 1e-8

/** Vectors by which a basis grows before it is looked at again, beside the rank's. */
const growth = 8

type Triples = ReturnType<typeof within>

/** The part of the first `rank` triples, or of the last of as many as a matrix has, in the order of the triples. */
function partOf(triples: Triples, rows: number, columns: number): SingularPart {
  const rank = triples.length
  const part = { u: new Float64Array(rows * rank), s: new Float64Array(rank), v: new Float64Array(rank * columns) }
  for (const [index, { value, left, right }] of triples.entries()) {
    part.s[index] = value
    part.v.set(right(), index * columns)
    for (const [row, each] of left().entries()) part.u[row * rank + index] = each
  }
  return part
}

/** Whether each of the triples is one of W and not of the basis only: Wᵀ u = σ v. */
function areExact(weight: Float32Tensor, triples: Triples): boolean {
  const largest = triples[0]?.value ?? 0
  return triples.every(({ value, left, right }) => {
    const rest = timesTransposed(weight, left())
    addScaled(rest, right(), -value)
    return Math.sqrt(dot(rest, rest)) <= tolerance * largest
  })
}

/**
 * The part of a matrix [rows, columns] with the largest singular values, by a block Krylov space of Wᵀ W (Musco and Musco 2015) that
 * grows until the vectors are exact, at worst until it is the whole space. A rank above the matrix's sizes gives what it has.
 */
export function largestPart(weight: Float32Tensor, rank: number): SingularPart {
  const [rows, columns] = weight.shape as [number, number]
  const size = Math.min(rank, rows, columns)
  const random = createRandom(0, rows, columns)
  const basis: Float64Array[] = []
  const grow = (vectors: readonly Float64Array[]): Float64Array[] => {
    const added: Float64Array[] = []
    for (const vector of vectors) {
      if (basis.length === columns) break
      const next = orthogonalTo(basis, vector)
      if (next === null) continue
      basis.push(next)
      added.push(next)
    }
    return added
  }
  const fresh = (count: number): Float64Array[] =>
    Array.from({ length: count }, () => Float64Array.from({ length: columns }, () => random.normal()))
  let block = grow(fresh(Math.min(size + growth, columns)))
  for (let looked = 0; ; ) {
    const isWhole = basis.length >= columns
    // the space is looked at when it has grown by half: the look costs more than the growth
    if (isWhole || basis.length >= Math.max(2 * (size + growth), 1.5 * looked)) {
      looked = basis.length
      const triples = within(weight, basis).slice(0, size)
      if (isWhole || areExact(weight, triples)) return partOf(triples, rows, columns)
    }
    const images = block.map(vector => timesTransposed(weight, times(weight, vector)))
    block = grow(images)
    // of a matrix of low rank all is found: the rest of the space is as good as any
    if (block.length === 0) block = grow(fresh(size + growth))
  }
}

/** The left singular vectors of the smallest singular values, [rows, rank], those of the larger first, as they are last in a whole decomposition. */
export function smallestLeft(weight: Float32Tensor, rank: number): Float64Array {
  const [rows, columns] = weight.shape as [number, number]
  const whole = (size: number): Float64Array[] => {
    const { data } = identity(size)
    return Array.from({ length: size }, (_, index) => data.slice(index * size, (index + 1) * size))
  }
  // of Wᵀ where that has fewer columns: its right vectors are these
  if (rows <= columns) {
    const triples = within(transpose(weight), whole(rows)).slice(-rank)
    const u = new Float64Array(rows * triples.length)
    for (const [index, { right }] of triples.entries()) {
      for (const [row, each] of right().entries()) u[row * triples.length + index] = each
    }
    return u
  }
  return partOf(within(weight, whole(columns)).slice(-rank), rows, columns).u
}

/** The first vectors of a QR decomposition: Q [rows, rank], R [rank, columns]. A column that depends on those before it gives another direction, with zeros in R. */
export function orthogonalPart(weight: Float32Tensor, rank: number): { q: Float64Array; r: Float64Array } {
  const [rows, columns] = weight.shape as [number, number]
  const size = Math.min(rank, rows, columns)
  const random = createRandom(0, rows, columns)
  const basis: Float64Array[] = []
  for (let index = 0; index < size; index++) {
    const column = Float64Array.from({ length: rows }, (_, row) => weight.data[row * columns + index]!)
    let next = orthogonalTo(basis, column)
    while (next === null)
      next = orthogonalTo(
        basis,
        Float64Array.from({ length: rows }, () => random.normal())
      )
    basis.push(next)
  }
  const q = new Float64Array(rows * size)
  const r = new Float64Array(size * columns)
  for (const [index, vector] of basis.entries()) {
    r.set(timesTransposed(weight, vector), index * columns)
    for (let row = 0; row < rows; row++) q[row * size + index] = vector[row]!
  }
  return { q, r }
}
