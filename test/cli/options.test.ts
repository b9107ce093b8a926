import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  parseBlocks,
  parseBytes,
  parseDtype,
  parseNumber,
  parsePositive,
  parseSeconds,
  parseTcpPort
} from '../../cli/options/options.ts'
import { version } from '../../common/version.ts'

test('--blocks is half-open', () => {
  assert.deepEqual(parseBlocks('0-12'), [{ first: 0, end: 12 }])
  // several, and those of a stack
  const encoder = { stack: 'encoder', first: 0, end: 6 } as const
  assert.deepEqual(parseBlocks('decoder:2-4', parseBlocks('encoder:0-6')), [
    encoder,
    { stack: 'decoder', first: 2, end: 4 }
  ])
  assert.throws(() => parseBlocks('tower:0-6'), /expected encoder:FIRST-END or decoder:FIRST-END, found 'tower'/)
  assert.throws(() => parseBlocks('encoder:6-6'), /empty range/)
  for (const wrong of ['4', '4:8', '-4-8', 'a-b', '4-8-9', '']) assert.throws(() => parseBlocks(wrong), /FIRST-END/)
})

test('sizes are binary and need a unit that exists', () => {
  assert.equal(parseBytes('512MiB'), 512 * 2 ** 20)
  assert.equal(parseBytes('1.5g'), 1.5 * 2 ** 30)
  assert.equal(parseBytes('4096'), 4096)
  for (const wrong of ['12 parsecs', '', '-1G']) assert.throws(() => parseBytes(wrong), /512MiB/)
})

test('a precision goes by its flag and by the name that swarm status shows', () => {
  assert.deepEqual(['fp32', 'float32', 'int8', 'int4'].map(parseDtype), ['float32', 'float32', 'int8', 'int4'])
  assert.throws(() => parseDtype('fp16'), /expected fp32, int8, int4, found 'fp16'/)
})

test('numbers are checked', () => {
  assert.equal(parsePositive('3'), 3)
  assert.throws(() => parsePositive('0'), /above 0/)
  assert.throws(() => parseTcpPort('65536'), /65535/)
  assert.throws(() => parsePositive('9007199254740992'), /at most 9007199254740991/)
  // a timer that is longer ends at once: status --watch asked the swarm without a pause
  assert.equal(parseSeconds('2147483'), 2_147_483)
  assert.throws(() => parseSeconds('2147484'), /at most 2147483 seconds/)
  assert.throws(() => parseSeconds('3601', 3600), /at most 3600 seconds/)
  assert.throws(() => parseNumber('warm'), /number/)
})

test('the version peers see is that of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  assert.equal(version, manifest.version)
})
