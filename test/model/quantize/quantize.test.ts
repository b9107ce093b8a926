import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { type Quantization, quantizationOf } from '../../../model/quantize/precision.ts'
import { dequantize, quantize } from '../../../model/quantize/quantize.ts'

const sizes = { rows: 24, columns: 128 }
const inBlocks = {
  8: { bits: 8, block: 32, offsets: 0 },
  4: { bits: 4, block: 32, offsets: 32 }
} as const

function normal(seed: number, map: (value: number, index: number) => number = value => value): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: sizes.rows * sizes.columns }, (_, index) => map(random.normal(), index))
}

/** What a matrix becomes. */
function rounded(data: Float32Array, how: Quantization): Float32Array {
  return dequantize(quantize(data, sizes, how), sizes, how)
}

/** Of every block: the greatest error, and the width of its range with 0 in it. */
function blocksOf(data: Float32Array, how: Quantization): { error: number; range: number }[] {
  const found = rounded(data, how)
  return Array.from({ length: data.length / how.block }, (_, block) => {
    const start = block * how.block
    const values = data.subarray(start, start + how.block)
    const errors = values.map((value, i) => Math.abs(value - found[start + i]!))
    return { error: Math.max(...errors), range: Math.max(0, ...values) - Math.min(0, ...values) }
  })
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

describe('quantized matrices', () => {
  test('of 8 bits err by less than one step of a block', () => {
    for (const { error, range } of blocksOf(normal(1), inBlocks[8]))
      assert.ok(error <= range / 255, `${error} of ${range}`)
  })

  test('of 4 bits err by less than the clipped fifth of a block and a step', () => {
    for (const { error, range } of blocksOf(normal(2), inBlocks[4]))
      assert.ok(error <= range * (0.2 + 1 / 15), `${error} of ${range}`)
  })

  for (const [bits, bound] of [
    [8, 0.006],
    [4, 0.08]
  ] as const) {
    test(`of ${bits} bits err by at most ${100 * bound} % in the mean square`, () => {
      const data = normal(3)
      const found = rounded(data, inBlocks[bits])
      const error = rootMeanSquare(data.map((value, i) => value - found[i]!)) / rootMeanSquare(data)
      assert.ok(error < bound, `relative error ${error}`)
    })

    test(`of ${bits} bits hold what lies on their grid, zeros and blocks of one sign`, () => {
      const grid = normal(4, (value, index) =>
        index % 32 === 0 ? -1 : index % 32 === 1 ? 2 ** bits - 2 : Math.max(-1, Math.round(value))
      )
      const zeros = new Float32Array(grid.length)
      for (const data of [grid, zeros]) {
        const found = rounded(data, inBlocks[bits])
        assert.ok(data.every((value, i) => Math.abs(value - found[i]!) < 1e-5))
      }
      const positive = normal(5, value => 10 + Math.abs(value) / 100)
      const found = rounded(positive, inBlocks[bits])
      assert.ok(positive.every((value, i) => Math.abs(value - found[i]!) < 10 / (2 ** bits - 1)))
    })

    test(`of ${bits} bits lie the other way round where the matrix does`, () => {
      const data = normal(6)
      const transposed = Float32Array.from(data, (_, index) => {
        const [column, row] = [Math.floor(index / sizes.rows), index % sizes.rows]
        return data[row * sizes.columns + column]!
      })
      const how = inBlocks[bits]
      assert.deepEqual(quantize(transposed, sizes, how, { transposed: true }), quantize(data, sizes, how))
    })
  }

  test('of 4 bits hold a grid of 16 steps around any whole zero, however few of its ends a block uses', () => {
    const random = createRandom(7)
    // GGUF's Q4_0: the element farthest from 0 is 8 steps away
    const grid = normal(8, (_, index) => (index % 32 === 5 ? -8 : random.integer(13) - 7))
    const steps = Float32Array.from({ length: grid.length / 32 }, () => 0.01 + random.uniform())
    for (const sign of [1, -1]) {
      const data = grid.map((value, index) => sign * value * steps[Math.floor(index / 32)]!)
      const found = rounded(data, inBlocks[4])
      assert.ok(data.every((value, i) => Math.abs(value - found[i]!) < 1e-5))
    }
  })

  test('of 4 bits hold blocks on grids with an offset of their own, as those of Q4_1 are, but for a fraction of a step', () => {
    const random = createRandom(9)
    const [codes, steps, starts] = [16, 1, 1].map(most =>
      Float32Array.from({ length: sizes.rows * sizes.columns }, () =>
        most === 16 ? random.integer(16) : random.uniform()
      )
    ) as [Float32Array, Float32Array, Float32Array]
    const step = (index: number) => 0.01 + steps[Math.floor(index / 32)]! / 100
    const data = codes.map((code, index) => (code - 5 - 5 * starts[Math.floor(index / 32)]!) * step(index))
    const found = rounded(data, inBlocks[4])
    const errors = data.map((value, index) => Math.abs(value - found[index]!) / step(index))
    assert.ok(Math.max(...errors) < 0.1, `${Math.max(...errors)} steps`)
    assert.ok(rootMeanSquare(errors) < 0.03, `${rootMeanSquare(errors)} steps`)
  })

  test('are those whose rows are whole blocks', () => {
    assert.equal(quantizationOf('float32', { rows: 64, columns: 64 }), null)
    assert.deepEqual(quantizationOf('int8', { rows: 64, columns: 96 }), { bits: 8, block: 32, offsets: 0 })
    assert.deepEqual(quantizationOf('int8', { rows: 64, columns: 128 }), { bits: 8, block: 32, offsets: 0 })
    assert.deepEqual(quantizationOf('int4', { rows: 64, columns: 96 }), { bits: 4, block: 32, offsets: 32 })
    assert.deepEqual(quantizationOf('int4', { rows: 64, columns: 1024 }), { bits: 4, block: 32, offsets: 32 })
    assert.deepEqual(quantizationOf('int4', { rows: 64, columns: 2816 }), { bits: 4, block: 32, offsets: 96 })
    const sensitive = { sensitive: true }
    assert.deepEqual(quantizationOf('int4', { rows: 64, columns: 96 }, sensitive), { bits: 8, block: 32, offsets: 0 })
    assert.equal(quantizationOf('int4', { rows: 64, columns: 100 }, sensitive), null)
    assert.equal(quantizationOf('int4', { rows: 64, columns: 100 }), null)
    assert.equal(quantizationOf('int4', { rows: 8, columns: 128 }), null)
  })
})
