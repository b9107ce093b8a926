import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRandom } from '../../common/random.ts'
import { quantizedBits } from '../../model/precision.ts'
import { dequantize, quantize } from '../../model/quantize.ts'

const sizes = { rows: 24, columns: 128 }

function normal(seed: number, map: (value: number, index: number) => number = value => value): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: sizes.rows * sizes.columns }, (_, index) => map(random.normal(), index))
}

/** Of every block of 32: the greatest error, and the width of its range with 0 in it. */
function blocksOf(data: Float32Array, bits: 4 | 8): { error: number; range: number }[] {
  const found = dequantize(quantize(data, sizes, bits), sizes, bits)
  return Array.from({ length: data.length / 32 }, (_, block) => {
    const values = data.subarray(block * 32, block * 32 + 32)
    const errors = values.map((value, i) => Math.abs(value - found[block * 32 + i]!))
    return { error: Math.max(...errors), range: Math.max(0, ...values) - Math.min(0, ...values) }
  })
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

describe('quantized matrices', () => {
  test('of 8 bits err by less than one step of a block', () => {
    for (const { error, range } of blocksOf(normal(1), 8)) assert.ok(error <= range / 255, `${error} of ${range}`)
  })

  test('of 4 bits err by less than the clipped fifth of a block and a step', () => {
    for (const { error, range } of blocksOf(normal(2), 4))
      assert.ok(error <= range * (0.2 + 1 / 15), `${error} of ${range}`)
  })

  for (const [bits, bound] of [
    [8, 0.006],
    [4, 0.09]
  ] as const) {
    test(`of ${bits} bits err by at most ${100 * bound} % in the mean square`, () => {
      const data = normal(3)
      const found = dequantize(quantize(data, sizes, bits), sizes, bits)
      const error = rootMeanSquare(data.map((value, i) => value - found[i]!)) / rootMeanSquare(data)
      assert.ok(error < bound, `relative error ${error}`)
    })

    test(`of ${bits} bits hold what lies on their grid, zeros and blocks of one sign`, () => {
      const grid = normal(4, (value, index) =>
        index % 32 === 0 ? -1 : index % 32 === 1 ? 2 ** bits - 2 : Math.max(-1, Math.round(value))
      )
      const zeros = new Float32Array(grid.length)
      for (const data of [grid, zeros]) {
        const found = dequantize(quantize(data, sizes, bits), sizes, bits)
        assert.ok(data.every((value, i) => Math.abs(value - found[i]!) < 1e-5))
      }
      const positive = normal(5, value => 10 + Math.abs(value) / 100)
      const found = dequantize(quantize(positive, sizes, bits), sizes, bits)
      assert.ok(positive.every((value, i) => Math.abs(value - found[i]!) < 10 / (2 ** bits - 1)))
    })

    test(`of ${bits} bits lie the other way round where the matrix does`, () => {
      const data = normal(6)
      const transposed = Float32Array.from(data, (_, index) => {
        const [column, row] = [Math.floor(index / sizes.rows), index % sizes.rows]
        return data[row * sizes.columns + column]!
      })
      assert.deepEqual(quantize(transposed, sizes, bits, { transposed: true }), quantize(data, sizes, bits))
    })
  }

  test('are those whose rows are whole blocks, of 4 bits pairs of them', () => {
    assert.equal(quantizedBits('float32', { rows: 64, columns: 64 }), null)
    assert.equal(quantizedBits('int8', { rows: 64, columns: 96 }), 8)
    assert.equal(quantizedBits('int4', { rows: 64, columns: 96 }), 8)
    assert.equal(quantizedBits('int4', { rows: 64, columns: 128 }), 4)
    assert.equal(quantizedBits('int4', { rows: 64, columns: 100 }), null)
    assert.equal(quantizedBits('int4', { rows: 8, columns: 128 }), null)
  })
})
