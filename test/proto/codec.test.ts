import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { tensor } from '../../common/tensor.ts'
import { type Codec, decodeFloats, encodePieces, toHalf } from '../../proto/codec.ts'
import { encodeFloats, roundTrip } from './support.ts'

const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!
const words = (value: number, codec: Codec) => new Uint16Array(encodeFloats(Float32Array.of(value), codec).buffer)[0]!

test('fp16 writes the bits of IEEE 754 binary16, rounded to nearest even', () => {
  const cases: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e30, 0x7c00],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.5, 0x0001],
    [1.5 * 2 ** -24, 0x0002],
    // halfway between two neighbours: to the even one
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 ** -14 - 2 ** -26, 0x0400]
  ]
  for (const [value, bits] of cases) assert.equal(words(value, 'fp16'), bits, `${value}`)
})

test('all 65536 binary16 values survive decoding and encoding', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i)
  const floats = decodeFloats(new Uint8Array(all.buffer), [all.length], 'fp16')
  const back = new Uint16Array(encodeFloats(floats, 'fp16').buffer)
  for (let i = 0; i < all.length; i++) {
    if (Number.isNaN(floats[i])) assert.ok((back[i]! & 0x7c00) === 0x7c00 && (back[i]! & 0x3ff) !== 0, `NaN ${i}`)
    else assert.equal(back[i], all[i])
  }
})

test('without Float16Array the same halves come out', () => {
  // every binary16, what lies just beside it, and every tie between two
  const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i)
  const halves = decodeFloats(new Uint8Array(all.buffer), [all.length], 'fp16')
  const bits = new Uint32Array(halves.buffer)
  for (const offset of [0, 1, -1, 0xfff, 0x1000, 0x1001]) {
    const shifted = bits.map(word => word + offset)
    const written = new Uint16Array(encodeFloats(new Float32Array(shifted.buffer), 'fp16').buffer)
    for (const [i, word] of shifted.entries()) {
      const [mine, theirs] = [toHalf(word), written[i]!]
      if ((word & 0x7fffffff) > 0x7f800000) assert.ok((mine & 0x7fff) > 0x7c00 && (theirs & 0x7fff) > 0x7c00)
      else assert.equal(mine, theirs, word.toString(16))
    }
  }
})

test('bf16 writes the upper half of float32, rounded to nearest even, and keeps NaN a NaN', () => {
  assert.equal(words(1, 'bf16'), 0x3f80)
  assert.equal(words(1 + 2 ** -8, 'bf16'), 0x3f80)
  assert.equal(words(1 + 3 * 2 ** -8, 'bf16'), 0x3f82)
  assert.equal(words(3.4028235e38, 'bf16'), 0x7f80)
  assert.equal(words(Number.NEGATIVE_INFINITY, 'bf16'), 0xff80)
  const sneaky = new Float32Array(Uint32Array.of(0x7f800001).buffer)
  assert.ok(Number.isNaN(roundTrip(sneaky, 'bf16')[0]))
})

test('fp32 is the same memory, there and back', () => {
  const data = Float32Array.of(1, 2, 3)
  const [piece] = encodePieces(tensor('float32', [3], data), 'fp32', 64)
  assert.equal(piece!.buffer, data.buffer)
  const bytes = new Uint8Array(16)
  assert.equal(decodeFloats(bytes.subarray(4, 12), [2], 'fp32').buffer, bytes.buffer)
  assert.deepEqual([...decodeFloats(Uint8Array.of(9, 0, 0, 128, 63).subarray(1), [1], 'fp32')], [1])
})

test('any float comes back within half a unit in the last place', () => {
  const relative = { fp32: 0, fp16: 2 ** -11, bf16: 2 ** -8 }
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })), values => {
      for (const codec of ['fp32', 'bf16', 'fp16'] as const) {
        const back = roundTrip(Float32Array.from(values), codec)
        for (const [i, value] of values.entries()) {
          if (codec === 'fp16' && (Math.abs(value) >= 65504 || Math.abs(value) < 2 ** -14)) continue
          if (codec === 'bf16' && (Math.abs(value) > 3e38 || Math.abs(value) < 1.2e-38)) continue
          assert.ok(Math.abs(back[i]! - value) <= Math.abs(value) * relative[codec], `${codec} ${value} -> ${back[i]}`)
          if (codec === 'fp32') assert.equal(bitsOf(back[i]!), bitsOf(value))
        }
      }
    })
  )
})
