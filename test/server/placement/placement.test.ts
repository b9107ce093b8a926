import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { blockThroughputs, checkRange, chooseWindow } from '../../../server/placement/placement.ts'

const none = () => 0
const server = (first: number, end: number, throughput = 1) => ({ blocks: { first, end }, throughput })

test('the first server of a swarm starts at the first block', () => {
  assert.deepEqual(chooseWindow(12, 4, [], none), { first: 0, end: 4 })
})

test('a gap is filled before anything else', () => {
  assert.deepEqual(chooseWindow(12, 4, [server(0, 4), server(8, 12)], none), { first: 4, end: 8 })
})

test('with every block served, the weakest window is strengthened', () => {
  const servers = [server(0, 4, 10), server(4, 8, 2), server(8, 12, 5)]
  assert.deepEqual(chooseWindow(12, 4, servers, none), { first: 4, end: 8 })
})

test('of servers that come at once, each counts with others that it does not see', () => {
  // two of equal blocks serve, one of each joins
  const servers = [server(0, 4, 10), server(4, 8, 10), server(8, 12, 10)]
  const joining = [server(0, 4, 4), server(4, 8, 2), server(8, 12, 3)].map(each => ({ ...each, isJoining: true }))
  const choose = (random: number) => chooseWindow(12, 4, [...servers, ...joining], () => random)
  assert.deepEqual(choose(0), { first: 4, end: 8 })
  // three join, so that up to one more is imagined, where it would go first
  assert.deepEqual(choose(0.99), { first: 8, end: 12 })
  // where nobody joins nobody is imagined, and a gap is nobody else's to fill
  assert.deepEqual(
    chooseWindow(12, 4, servers, () => 0.99),
    { first: 0, end: 4 }
  )
  assert.deepEqual(
    chooseWindow(16, 4, [...servers, ...joining], () => 0.99),
    { first: 12, end: 16 }
  )
})

test('more blocks than the model has are all of them', () => {
  assert.deepEqual(chooseWindow(12, 40, [], none), { first: 0, end: 12 })
})

test('no other window has a smaller sorted list of throughputs', () => {
  const servers = fc.array(
    fc.record({
      first: fc.nat(19),
      length: fc.integer({ min: 1, max: 20 }),
      throughput: fc.integer({ min: 1, max: 9 })
    }),
    { maxLength: 8 }
  )
  fc.assert(
    fc.property(servers, fc.integer({ min: 1, max: 20 }), (rows, count) => {
      const placed = rows.map(row => server(row.first, Math.min(20, row.first + row.length), row.throughput))
      const sums = blockThroughputs(20, placed)
      const key = (first: number) =>
        sums
          .slice(first, first + count)
          .sort((a, b) => a - b)
          .map(sum => String(sum).padStart(4, '0'))
          .join()
      const chosen = chooseWindow(20, count, placed, none)
      assert.equal(chosen.end - chosen.first, count)
      for (let first = 0; first + count <= 20; first++) assert.ok(key(chosen.first) <= key(first))
    })
  )
})

test('ranges that make no sense are refused with the range that does', () => {
  for (const [first, end, what] of [
    [4, 20, 'outside the model'],
    [4, 4, 'empty'],
    [8, 4, 'reversed']
  ] as const) {
    assert.throws(() => checkRange({ first, end }, 12), {
      code: 'INVALID_ARGUMENT',
      message: new RegExp(`${first}-${end}.*${what}.*0-12`)
    })
  }
  assert.deepEqual(checkRange({ first: 0, end: 12 }, 12), { first: 0, end: 12 })
})
