// Which parts of a batch go where: in proportion to what servers do, and to one after the other through a chain.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { findRoute, type RouteServer } from '../../../client/remote/routing/routing.ts'
import { Load, spreadRoutes } from '../../../client/remote/routing/spread.ts'

/** tokens per second through one block */
function server(peerId: string, first: number, end: number, forwardRate: number): RouteServer {
  return { peerId, blocks: { first, end }, roundTripMs: 1, decodeRate: 1, forwardRate, cacheBytesFree: 2 ** 40 }
}

const blocks = { first: 0, end: 4 }

/** How many parts pass through each server. */
function shares(servers: readonly RouteServer[], parts: number, tokens = 256): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { hops } of spreadRoutes(servers, blocks, Array<number>(parts).fill(tokens))) {
    for (const { peerId } of hops) counts[peerId] = (counts[peerId] ?? 0) + 1
  }
  return counts
}

describe('parts of a batch', () => {
  it('go to replicas in proportion to their rates', () => {
    assert.deepEqual(shares([server('a', 0, 4, 1000), server('b', 0, 4, 1000)], 8), { a: 4, b: 4 })
    assert.deepEqual(shares([server('a', 0, 4, 3000), server('b', 0, 4, 1000)], 12), { a: 9, b: 3 })
    // what one does alone before the other had begun
    assert.deepEqual(shares([server('a', 0, 4, 100_000), server('b', 0, 4, 1000)], 8), { a: 8 })
  })

  it('go over disjoint chains, each hop with its replicas', () => {
    const servers = ['a', 'b'].flatMap(name => [server(`${name}-low`, 0, 2, 1000), server(`${name}-high`, 2, 4, 1000)])
    const routes = spreadRoutes(servers, blocks, [256, 256, 256, 256]).map(({ hops }) => hops.map(hop => hop.peerId))
    assert.deepEqual(shares(servers, 4), { 'a-low': 2, 'a-high': 2, 'b-low': 2, 'b-high': 2 })
    assert.deepEqual(routes[0], ['a-low', 'a-high'])
    assert.deepEqual(routes[1], ['b-low', 'b-high'])
  })

  it('follow each other through a chain beside a server that has all of it', () => {
    // the chain gives a part in half the time that the whole server needs for one
    const servers = [server('low', 0, 2, 1000), server('high', 2, 4, 1000), server('whole', 0, 4, 1000)]
    const counts = shares(servers, 12)
    assert.deepEqual(counts.low, counts.high)
    assert.ok(counts.low! >= 7 && counts.whole! >= 3, JSON.stringify(counts))
  })

  it('count what is under way already, until it is done', () => {
    const servers = [server('a', 0, 4, 1000), server('b', 0, 4, 1000)]
    const load = new Load()
    const first = spreadRoutes(servers, blocks, [256])
    const done = load.add(first[0]!)
    assert.equal(first[0]!.hops[0]!.peerId, 'a')
    const { busyUntilMs } = load
    assert.equal(spreadRoutes(servers, blocks, [256], { busyUntilMs })[0]!.hops[0]!.peerId, 'b')
    done()
    assert.equal(load.busyUntilMs.size, 0)
    assert.equal(spreadRoutes(servers, blocks, [256], { busyUntilMs })[0]!.hops[0]!.peerId, 'a')
  })

  it('take the cheapest route where there is one part, and the same routes every time', () => {
    const serverArbitrary = fc
      .tuple(fc.nat(3), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5000 }), fc.nat(300))
      .map(([first, length, rate, roundTripMs]) => ({
        ...server('', first, Math.min(4, first + length), rate),
        roundTripMs
      }))
    fc.assert(
      fc.property(
        fc.array(serverArbitrary, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 2000 })),
        (all, tokens) => {
          const servers = [...all.map((fields, index) => ({ ...fields, peerId: `${index}` })), server('last', 0, 4, 10)]
          const routes = spreadRoutes(servers, blocks, tokens)
          assert.deepEqual(spreadRoutes(servers, blocks, tokens), routes)
          assert.equal(routes.length, tokens.length)
          if (tokens.length === 0) return
          const options = { mode: 'throughput', tokens: tokens[0]! } as const
          assert.deepEqual(routes[0]!.hops, findRoute(servers, blocks, options))
        }
      )
    )
  })

  it('have no way where nobody serves a block', () => {
    assert.throws(() => spreadRoutes([server('a', 0, 3, 1000)], blocks, [1]), { code: 'BLOCKS_UNAVAILABLE' })
  })
})
