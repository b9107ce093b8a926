import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawCoverage, type ServerRow, uncovered } from '../../cli/coverage.ts'

const row = (first: number, end: number, state = 'online'): ServerRow => ({
  peerId: `12D3KooWpeer${first}-${end}`,
  blocks: { first, end },
  state,
  dtype: 'float32',
  decodeRate: 100,
  forwardRate: 2000,
  cacheBytesFree: 2 ** 20,
  version: '0.1.0'
})

test('a model without servers is one uncovered range', () => {
  assert.deepEqual(uncovered(12, []), [{ first: 0, end: 12 }])
})

test('only online servers cover, and neighbouring gaps are one range', () => {
  assert.deepEqual(uncovered(12, [row(0, 4), row(4, 8, 'joining'), row(9, 10)]), [
    { first: 4, end: 9 },
    { first: 10, end: 12 }
  ])
})

test('the map has a row per server in block order and says what is missing', () => {
  const lines = drawCoverage('tiny', 12, [row(6, 11), row(0, 6)])
  assert.equal(lines.length, 4)
  assert.match(lines[1]!, /██████······ {2}0\.\.5/)
  assert.match(lines[2]!, /······█████· {2}6\.\.10/)
  assert.equal(lines[3], '  not served: 11')
})

test('a model of more blocks than a line holds is drawn in groups', () => {
  const [, line] = drawCoverage('large', 240, [row(0, 4)])
  assert.match(line!, / █·{59} /)
})
