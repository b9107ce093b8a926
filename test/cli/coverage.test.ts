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
  assert.equal(lines.length, 6)
  assert.match(lines[1]!, /server +blocks +state +dtype +decode\/s +forward\/s +cache +version/)
  assert.match(lines[2]!, /██████······ {2}0\.\.5 .* 1\.0 MiB free {2}0\.1\.0$/)
  assert.match(lines[3]!, /······█████· {2}6\.\.10/)
  assert.match(lines[4]!, /online +111111111110$/)
  assert.equal(lines[5], '  not served: 11')
})

test('a model of more blocks than a line holds is drawn in groups', () => {
  const [, , line, replicas] = drawCoverage('large', 240, [row(0, 4)])
  assert.match(line!, / █·{59} /)
  assert.match(replicas!, / 10{59}$/)
})

test('queue, sessions and cache are what a server has answered, and one that did not answer says so', () => {
  const load = { sessions: 3, queueLength: 12, cacheBytesUsed: 2 ** 20, cacheBytesTotal: 2 ** 30 }
  const [, head, first, last] = drawCoverage('tiny', 12, [
    { ...row(0, 6), load },
    { ...row(6, 12), load: null }
  ])
  assert.match(head!, /queue +sessions +cache/)
  assert.match(first!, / 12 +3 +1\.0 MiB of 1\.0 GiB /)
  assert.match(last!, / \? +\? +no answer /)
})

test('blocks of many servers are counted to nine', () => {
  const lines = drawCoverage('tiny', 3, Array.from({ length: 11 }, () => row(0, 1)).concat(row(1, 3), row(2, 3)))
  assert.match(lines.at(-2)!, / \+12$/)
})
