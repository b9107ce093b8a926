import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import { drawCoverage, type ServerRow } from '../../cli/views/coverage.ts'
import { missingRanges } from '../../client/survey.ts'

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
  assert.deepEqual(missingRanges(12, []), [{ first: 0, end: 12 }])
})

test('only online servers cover, and neighbouring gaps are one range', () => {
  assert.deepEqual(missingRanges(12, [row(0, 4), row(4, 8, 'joining'), row(9, 10)]), [
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

test('states are painted without moving a column', () => {
  const servers = [row(0, 6, 'paused'), row(6, 12)]
  const plain = drawCoverage('tiny', 12, servers)
  const states: Record<string, string> = { online: '\x1b[32m', paused: '\x1b[33m', incomplete: '\x1b[31m' }
  const painted = drawCoverage('tiny', 12, servers, {
    paint: (state, text) => (states[state] === undefined ? text : `${states[state]}${text}\x1b[39m`)
  })
  assert.deepEqual(painted.map(stripVTControlCharacters), plain)
  assert.ok(painted[2]!.includes(' \x1b[33mpaused\x1b[39m '))
  assert.ok(painted[3]!.includes(' \x1b[32monline\x1b[39m '))
  assert.equal(painted.at(-1), '\x1b[31m  not served: 0..5\x1b[39m')
  assert.equal(painted[4], plain[4], 'the row of replicas has no state')
})

test('blocks of many servers are counted to nine', () => {
  const lines = drawCoverage('tiny', 3, Array.from({ length: 11 }, () => row(0, 1)).concat(row(1, 3), row(2, 3)))
  assert.match(lines.at(-2)!, / \+12$/)
})

const host = (first: number, end: number, more: Partial<ServerRow> = {}): ServerRow => ({
  ...row(first, end),
  name: 'attic',
  address: '192.168.1.7:4001',
  load: { sessions: 3, queueLength: 0, cacheBytesUsed: 0, cacheBytesTotal: 2 ** 30 },
  ...more
})

test('servers are shown by name and address; those that announce no name by their peer id, equal names with its end', () => {
  const twins = [
    host(0, 4),
    host(4, 8, { address: '192.168.1.7:4002' }),
    host(8, 12, { name: null, address: '10.0.0.2:1' })
  ]
  const [, head, ...lines] = drawCoverage('tiny', 12, twins)
  assert.match(head!, /^ {2}server +address +blocks +state/)
  assert.match(lines[0]!, /^ {2}attic …r0-4 +192\.168\.1\.7:4001 +████········ +0\.\.3 /)
  assert.match(lines[1]!, /^ {2}attic …r4-8 +192\.168\.1\.7:4002 /)
  assert.match(lines[2]!, /^ {2}…peer8-12 +10\.0\.0\.2:1 /)
  assert.match(drawCoverage('tiny', 12, [host(0, 12)])[2]!, /^ {2}attic +192/)
})

test('a narrow terminal has fewer columns, and no line is longer than it', () => {
  const servers = [host(0, 80), host(80, 160, { name: 'a-rather-long-host-name.example.org', state: 'draining' })]
  const widths = [60, 80, 120].map(width => {
    const lines = drawCoverage('large', 160, servers, { width })
    assert.ok(
      lines.every(line => stringWidth(line) <= width),
      lines.join('\n')
    )
    return lines
  })
  const titles = widths.map(([, head]) => head!.trim().split(/ +/))
  assert.deepEqual(titles, [
    ['server', 'address', 'blocks', 'state'],
    ['server', 'address', 'blocks', 'state'],
    ['server', 'address', 'blocks', 'state', 'dtype', 'decode/s', 'sessions']
  ])
  assert.equal(widths[0]![2], '  attic            192.168.1.7:4001  0..79    online')
})

test('names in wide letters keep the columns straight', () => {
  const [, head, first, last] = drawCoverage('tiny', 12, [host(0, 6, { name: '机器' }), host(6, 12, { name: 'ab' })])
  const at = (line: string, text: string) => stringWidth(line.slice(0, line.indexOf(text)))
  assert.deepEqual([at(first!, '192'), at(last!, '192')], [at(head!, 'address'), at(head!, 'address')])
})

test('a model with an encoder is drawn by stack, each numbered from 0', () => {
  const lines = drawCoverage('t5', 8, [{ ...row(0, 2), decodeRate: 0, cacheBytesFree: 0 }, row(3, 6)], {
    encoderBlocks: 4
  })
  assert.match(lines[2]!, /██··│···· {2}encoder 0\.\.1 +online +float32 +- /)
  assert.match(lines[3]!, /···█│██·· {2}encoder 3, decoder 0\.\.1 +online +float32 +100 /)
  assert.match(lines[4]!, /online +1101│1100$/)
  assert.equal(lines[5], '  not served: encoder 2, decoder 2..3')
  // a model that is one encoder, and more blocks than there are cells
  assert.match(drawCoverage('bert', 4, [row(0, 4)], { encoderBlocks: 4 })[2]!, /████ +encoder 0\.\.3/)
  const [, , large] = drawCoverage('large', 240, [row(80, 84)], { encoderBlocks: 80 })
  assert.match(large!, /·{20}│█·{39} {2}decoder 0\.\.3/)
})
