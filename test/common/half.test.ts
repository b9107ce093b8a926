import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float16Table } from '../../common/half.ts'

test('every float16 becomes the float32 of its definition: sign, exponent less 15, fraction of 10 bits', () => {
  const table = float16Table()
  const values = new Float32Array(table.buffer)
  assert.equal(table.length, 65_536)
  for (let bits = 0; bits < 65_536; bits++) {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
    const expected =
      exponent === 31
        ? fraction === 0
          ? sign * Infinity
          : Number.NaN
        : sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
    if (!Object.is(values[bits], expected)) assert.equal(values[bits], expected, bits.toString(16))
  }
  // the payload of what is no number stays
  assert.equal(table[0x7e01], 0x7fc02000)
})
