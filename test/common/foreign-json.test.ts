import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseForeignJson, quoteForeign } from '../../common/foreign-json.ts'

test('JSON that somebody else wrote is what JSON.parse makes of it', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 8 }), text => assert.deepEqual(parseForeignJson(text), JSON.parse(text))))
  for (const text of ['"', '{"a":', '["\\"', '', '[1}']) assert.throws(() => parseForeignJson(text), SyntaxError, text)
})

test('JSON that nests too deep is refused, brackets in texts are not counted', () => {
  const nested = (depth: number): string => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`
  assert.doesNotThrow(() => parseForeignJson(nested(200)))
  assert.throws(() => parseForeignJson(nested(202)), /expected at most 200 levels .*, found 202/)
  assert.throws(() => parseForeignJson('['.repeat(5_000_000)), /found 5000000/)
  const text = JSON.stringify(`\\"${'['.repeat(1000)}\\\\`)
  assert.equal(parseForeignJson(`{"a":${text}}`.slice(5, -1)), JSON.parse(text))
})

test('a number that is too large is quoted as what was read, not as null', () => {
  assert.equal(quoteForeign(parseForeignJson('1e400')), 'Infinity')
  assert.equal(quoteForeign(parseForeignJson('{"a":1}')), '{"a":1}')
  assert.equal(quoteForeign(undefined), 'nothing')
})
