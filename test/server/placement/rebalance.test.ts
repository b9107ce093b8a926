import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { minute } from '../../../common/units.ts'
import { simulate } from '../../../scripts/swarm-simulation.ts'
import { blockThroughputs, type PlacedServer } from '../../../server/placement/placement.ts'
import { attainable, leastStayMs, planMove } from '../../../server/placement/rebalance.ts'

/** nobody else is imagined to choose at the same time */
const random = () => 0
const server = (first: number, end: number, throughput = 10): PlacedServer => ({ blocks: { first, end }, throughput })

test('one of two servers of the same blocks moves to those that nobody serves', () => {
  const move = planMove({ own: server(0, 4), others: [server(0, 4)], totalBlocks: 8, random })
  assert.deepEqual(move, { blocks: { first: 4, end: 8 }, quality: 0, probability: 0.5 })
})

test('the only server of a block stays, whatever is missing elsewhere', () => {
  assert.equal(planMove({ own: server(0, 4), others: [], totalBlocks: 8, random }), null)
  assert.equal(planMove({ own: server(0, 4), others: [server(1, 4, 1000)], totalBlocks: 8, random }), null)
})

test('a swarm that is well placed stays as it is', () => {
  const others = [server(0, 4), server(4, 8), server(4, 8, 11)]
  assert.equal(planMove({ own: server(0, 4), others, totalBlocks: 8, random }), null)
})

test('a server helps where the swarm is weakest, and not again soon after', () => {
  const others = [server(0, 4, 30), server(0, 4, 30), server(4, 8, 10)]
  const input = { own: server(0, 4, 20), others, totalBlocks: 8, random }
  assert.deepEqual(planMove(input)?.blocks, { first: 4, end: 8 })
  assert.equal(planMove({ ...input, stayedMs: leastStayMs - 1 }), null)
  // but where nobody serves a block it does not wait
  assert.notEqual(planMove({ ...input, others: others.slice(0, 2), stayedMs: 0 }), null)
})

test('of a hundred who could move about as many want to as are needed', () => {
  const others = Array.from({ length: 99 }, () => server(0, 4))
  const move = planMove({ own: server(0, 4), others, totalBlocks: 8, random })
  // fifty are needed
  assert.ok(move!.probability > 0.4 && move!.probability < 0.6, `${move!.probability}`)
})

test('those who could move do not all choose the same blocks', () => {
  const others = Array.from({ length: 99 }, () => server(0, 4))
  const chosen = Array.from({ length: 10 }, (_, index) => {
    const input = { own: server(0, 4), others, totalBlocks: 16, random: () => index / 100 }
    return planMove(input)!.blocks.first
  })
  assert.deepEqual(new Set(chosen), new Set([4, 8, 12]))
})

test('a move never leaves a block without a server and always makes the weakest of the blocks concerned better', () => {
  const serverArbitrary = fc
    .record({ first: fc.nat(11), length: fc.integer({ min: 1, max: 6 }), throughput: fc.integer({ min: 1, max: 50 }) })
    .map(({ first, length, throughput }) => server(first, Math.min(12, first + length), throughput))
  const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(serverArbitrary, fc.array(serverArbitrary, { maxLength: 12 }), share, (own, others, share) => {
      const move = planMove({ own, others, totalBlocks: 12, random: () => share })
      if (move === null) return
      const before = blockThroughputs(12, [...others, own])
      const after = blockThroughputs(12, [...others, { ...own, blocks: move.blocks }])
      const touched = before
        .keys()
        .filter(block => before[block] !== after[block])
        .toArray()
      const least = (sums: number[]) => Math.min(...touched.map(block => sums[block]!))
      assert.ok(least(after) > least(before))
      assert.ok(before.every((sum, block) => sum === 0 || after[block]! > 0))
      assert.ok(move.probability > 0 && move.probability <= 1)
    }),
    { numRuns: 1000 }
  )
})

test('what is attainable is never more than all work spread evenly', () => {
  const all = [server(0, 4, 7), server(0, 3, 5), server(0, 2, 9), server(0, 4, 1)]
  assert.ok(attainable(4, all) <= (7 * 4 + 5 * 3 + 9 * 2 + 4) / 4)
  assert.equal(attainable(4, all), 13)
})

test('a simulated swarm of a thousand is near its optimum with few moves', () => {
  const result = simulate({ servers: 1000, totalBlocks: 80, hours: 1, stayMs: 180 * minute, seed: 3 })
  assert.ok(result.mean >= 0.9, JSON.stringify(result))
  assert.equal(result.uncovered, 0)
  assert.equal(result.hasty, 0)
  assert.ok(result.movesPerHour < 100, JSON.stringify(result))
})

test('a simulated swarm whose servers stay half an hour, and see each other late, is near its optimum', () => {
  const init = { servers: 1000, totalBlocks: 80, hours: 1, stayMs: 30 * minute, seed: 4 }
  const [soon, late] = [simulate(init), simulate({ ...init, delayMs: minute })]
  // a thirtieth of them is always loading
  assert.ok(soon.serving > 0.96 && soon.serving < 0.975, JSON.stringify(soon))
  assert.ok(soon.mean >= 0.89, JSON.stringify(soon))
  assert.ok(late.mean >= 0.84, JSON.stringify(late))
  assert.ok(late.movesPerHour < 500, JSON.stringify(late))
})

test('a simulated swarm that loses all servers of some blocks heals by moving', () => {
  const init = { servers: 200, totalBlocks: 40, hours: 3, stayMs: 600 * minute, seed: 5, lostBlocks: 6 }
  const [moving, staying] = [simulate(init), simulate({ ...init, rebalances: false })]
  assert.ok(moving.coveredMs !== null && moving.coveredMs < 5 * minute, JSON.stringify(moving))
  assert.ok(moving.mean > staying.mean + 0.1, JSON.stringify([moving, staying]))
})
