// Blockwise int8: the bytes that the protocol says, and how far off a number may come back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRandom } from '../../common/random.ts'
import { encodedBytes } from '../../proto/codec.ts'
import { encodeFloats, roundTrip } from './support.ts'

/** any finite float32, drawn by its bits: all magnitudes are as likely */
const anyFloat = fc
  .integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  .map(bits => new Float32Array(Int32Array.of(bits).buffer)[0]!)
  .filter(Number.isFinite)

test('two rows of 66 are four scales and then their elements', () => {
  const data = new Float32Array(132)
  data.set([127, -63.5, 1.5, 0.5, -0.5], 0)
  data.set([-254, 1], 64)
  data.set([12.7], 66 + 63)
  const bytes = encodeFloats(data, 'int8', { rowLength: 66 })
  assert.equal(bytes.length, 4 * 4 + 132)
  assert.equal(encodedBytes([2, 66], 'int8'), bytes.length)
  assert.deepEqual([...new Float32Array(bytes.buffer, 0, 4)], [1, 2, Math.fround(Math.fround(12.7) / 127), 0])
  const elements = new Int8Array(bytes.buffer, 16)
  // ties go to the even number
  assert.deepEqual([...elements.subarray(0, 5)], [127, -64, 2, 0, 0])
  assert.deepEqual([...elements.subarray(64, 66)], [-127, 0])
  assert.equal(elements[129], 127)
})

test('a number comes back within half a step of its block, and the largest within a rounding', () => {
  fc.assert(
    fc.property(fc.array(anyFloat, { maxLength: 300 }), fc.integer({ min: 1, max: 130 }), (values, width) => {
      const rows = Math.floor(values.length / width)
      const data = Float32Array.from(values.slice(0, rows * width))
      const back = roundTrip(data, 'int8', width)
      for (const [at, value] of data.entries()) {
        const column = at % width
        const first = at - (column % 64)
        const block = data.subarray(first, Math.min(first + 64, at - column + width))
        const largest = block.reduce((most, other) => Math.max(most, Math.abs(other)), 0)
        const allowed = largest < 2 ** -119 ? largest : (largest / 254) * (1 + 2 ** -16)
        assert.ok(Math.abs(back[at]! - value) <= allowed, `${value} -> ${back[at]} in a block up to ${largest}`)
      }
    }),
    { numRuns: 500 }
  )
})

test('the largest and smallest floats do not overflow', () => {
  const top = 3.4028234663852886e38
  for (let step = 0; step < 300; step++) {
    const value = Math.fround(top * (1 - step * 2 ** -24))
    const [back, other] = roundTrip(Float32Array.of(value, -value), 'int8')
    assert.ok(Number.isFinite(back) && Math.abs(back! / value - 1) < 2 ** -20, `${value} -> ${back}`)
    assert.equal(other, -back!)
  }
  assert.deepEqual([...roundTrip(Float32Array.of(1e-44, -1e-38), 'int8')], [0, 0])
  assert.deepEqual([...roundTrip(Float32Array.of(0, -0), 'int8')], [0, 0])
})

test('a block with NaN or an infinity is NaN, the others are as they were', () => {
  for (const poison of [Number.NaN, Infinity, -Infinity]) {
    const data = new Float32Array(130).fill(2)
    data[70] = poison
    const back = roundTrip(data, 'int8')
    assert.ok(back.subarray(64, 128).every(Number.isNaN))
    assert.ok([...back.subarray(0, 64), ...back.subarray(128)].every(value => Math.abs(value - 2) < 1e-6))
  }
})

test('what a row becomes does not depend on its neighbours, nor the bytes on the pieces', () => {
  const random = createRandom(7)
  const width = 100
  const data = Float32Array.from({ length: 7 * width }, (_, at) => random.normal() * (1 + (at % 13)))
  const whole = roundTrip(data, 'int8', width)
  for (let row = 0; row < 7; row++) {
    const alone = roundTrip(data.slice(row * width, (row + 1) * width), 'int8', width)
    assert.deepEqual(alone, whole.subarray(row * width, (row + 1) * width))
  }
  const bytes = encodeFloats(data, 'int8', { rowLength: width })
  for (const maxBytes of [8, 24, 64, 136, 1000]) {
    assert.deepEqual(encodeFloats(data, 'int8', { rowLength: width, maxBytes }), bytes, `${maxBytes}`)
  }
})

test('writing again what was read changes nothing', () => {
  const random = createRandom(3)
  for (let run = 0; run < 50; run++) {
    const data = Float32Array.from({ length: 640 }, () => random.normal() * 2 ** (run - 25))
    const once = roundTrip(data, 'int8')
    const twice = roundTrip(once, 'int8')
    for (const [at, value] of once.entries()) {
      assert.ok(Math.abs(twice[at]! - value) <= Math.abs(value) * 2 ** -22, `${value} -> ${twice[at]}`)
    }
  }
})

test('nothing is nothing, and a scalar is a row of one', () => {
  assert.equal(encodedBytes([3, 0], 'int8'), 0)
  assert.equal(encodedBytes([0, 64], 'int8'), 0)
  assert.equal(encodedBytes([], 'int8'), 5)
  assert.equal(encodedBytes([2, 3, 64], 'int8'), 6 * (64 + 4))
  assert.equal(encodeFloats(new Float32Array(0), 'int8').length, 0)
})
