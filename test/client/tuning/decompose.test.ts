// Decompositions from which adapters begin, against what defines them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { largestPart, orthogonalPart, type SingularPart, smallestLeft } from '../../../client/tuning/lora/decompose.ts'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'

/** U diag(values) Vᵀ with random orthonormal columns of U [rows, n] and V [columns, n]. */
function withValues(rows: number, columns: number, values: readonly number[], seed = 1): Float32Tensor {
  const random = createRandom(seed)
  const basis = (size: number): number[][] => {
    const vectors: number[][] = []
    while (vectors.length < values.length) {
      let vector = Array.from({ length: size }, () => random.normal())
      for (const other of [...vectors, ...vectors]) {
        const along = vector.reduce((sum, value, i) => sum + value * other[i]!, 0)
        vector = vector.map((value, i) => value - along * other[i]!)
      }
      const norm = Math.hypot(...vector)
      vectors.push(vector.map(value => value / norm))
    }
    return vectors
  }
  const [left, right] = [basis(rows), basis(columns)]
  const data = Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns]
    return values.reduce((sum, value, k) => sum + value * left[k]![row]! * right[k]![column]!, 0)
  })
  return float32([rows, columns], data)
}

/** What is left of a matrix without a part of it, as the root of the sum of squares. */
function rest({ shape, data }: Float32Tensor, { u, s, v }: SingularPart): number {
  const [rows, columns] = shape as [number, number]
  const rank = s.length
  let sum = 0
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let value = data[row * columns + column]!
      for (let k = 0; k < rank; k++) value -= u[row * rank + k]! * s[k]! * v[k * columns + column]!
      sum += value * value
    }
  }
  return Math.sqrt(sum)
}

const near = (found: number, expected: number, tolerance = 1e-5): void =>
  assert.ok(Math.abs(found - expected) < tolerance, `expected ${expected}, found ${found}`)

describe('the part of the largest singular values', () => {
  for (const [rows, columns] of [
    [12, 30],
    [30, 12],
    [64, 64]
  ] as const) {
    test(`of [${rows}, ${columns}] has these values, and leaves the smallest rest`, () => {
      const values = Array.from({ length: 12 }, (_, index) => 5 - 0.3 * index)
      const weight = withValues(rows, columns, values)
      for (const rank of [1, 4, 12]) {
        const part = largestPart(weight, rank)
        for (const [index, value] of part.s.entries()) near(value, values[index]!)
        near(rest(weight, part), Math.hypot(...values.slice(rank)))
      }
    })
  }

  test('of a matrix without gaps, of values that are the same, of low rank and of zeros', () => {
    const noise = createRandom(3)
    const random = float32(
      [90, 120],
      Array.from({ length: 90 * 120 }, () => noise.normal())
    )
    const all = largestPart(random, 90)
    near(rest(random, all), 0, 1e-3)
    const some = largestPart(random, 8)
    for (const [index, value] of some.s.entries()) near(value, all.s[index]!)
    near(rest(random, some), Math.hypot(...all.s.slice(8)), 1e-4)
    const same = withValues(20, 20, Array(20).fill(2))
    near(rest(same, largestPart(same, 5)), Math.hypot(...Array(15).fill(2)))
    const low = withValues(40, 50, [3, 1])
    const part = largestPart(low, 4)
    near(part.s[1]!, 1)
    near(part.s[2]!, 0)
    near(rest(low, part), 0)
    assert.ok(largestPart(float32([6, 5], Array(30).fill(0)), 2).s.every(value => value === 0))
  })
})

test('left vectors of the smallest singular values', () => {
  const values = [9, 8, 7, 6, 0.5, 0.2]
  for (const [rows, columns] of [
    [6, 10],
    [10, 6]
  ] as const) {
    const weight = withValues(rows, columns, values)
    const u = smallestLeft(weight, 2)
    for (const [k, value] of [0.5, 0.2].entries()) {
      const image = Array.from({ length: columns }, (_, column) => {
        let sum = 0
        for (let row = 0; row < rows; row++) sum += u[row * 2 + k]! * weight.data[row * columns + column]!
        return sum
      })
      near(Math.hypot(...image), value)
      near(Math.hypot(...Array.from({ length: rows }, (_, row) => u[row * 2 + k]!)), 1)
    }
  }
})

test('the first vectors of a QR decomposition', () => {
  const weight = withValues(9, 7, [4, 3, 2, 1, 0.5, 0.4, 0.3])
  const { q, r } = orthogonalPart(weight, 3)
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      let sum = 0
      for (let row = 0; row < 9; row++) sum += q[row * 3 + i]! * q[row * 3 + j]!
      near(sum, i === j ? 1 : 0, 1e-12)
      // the first columns are made of the vectors before them only
      if (j < i) near(r[i * 7 + j]!, 0, 1e-6)
    }
  }
  for (let row = 0; row < 9; row++) {
    for (let column = 0; column < 3; column++) {
      let sum = 0
      for (let k = 0; k < 3; k++) sum += q[row * 3 + k]! * r[k * 7 + column]!
      near(sum, weight.data[row * 7 + column]!)
    }
  }
})
