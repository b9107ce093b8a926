import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { undominated } from '../../../client/remote/routing/dominated.ts'
import { searchRoute } from '../../../client/remote/routing/route-search.ts'
import {
  cacheShortageMs,
  findRoute,
  type Hop,
  hopCost,
  maxRoundTripMs,
  type RouteOptions,
  type RouteServer,
  routeCost
} from '../../../client/remote/routing/routing.ts'
import type { SwarmError } from '../../../common/errors.ts'
import type { BlockRange } from '../../../common/range.ts'

function server(peerId: string, first: number, end: number, fields: Partial<RouteServer> = {}): RouteServer {
  return {
    peerId,
    blocks: { first, end },
    roundTripMs: 10,
    decodeRate: 1000,
    forwardRate: 1000,
    cacheBytesFree: Number.MAX_SAFE_INTEGER,
    ...fields
  }
}

/** Every route, found by trying. */
function* everyRoute(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions
): Generator<readonly Hop[]> {
  if (blocks.first === blocks.end) yield []
  for (const { peerId, blocks: hosted } of servers) {
    if (options.excluded?.has(peerId) || hosted.first > blocks.first || hosted.end <= blocks.first) continue
    for (let end = blocks.first + 1; end <= Math.min(hosted.end, blocks.end); end++) {
      for (const rest of everyRoute(servers, { first: end, end: blocks.end }, options)) {
        yield [{ peerId, blocks: { first: blocks.first, end } }, ...rest]
      }
    }
  }
}

const isTwice = (route: readonly Hop[]) => new Set(route.map(({ peerId }) => peerId)).size < route.length

/** The cost of the best of all routes, and of those that ask no server twice. */
function bruteForce(servers: readonly RouteServer[], blocks: BlockRange, options: RouteOptions) {
  let [best, once] = [Infinity, Infinity]
  for (const route of everyRoute(servers, blocks, options)) {
    const cost = routeCost(route, servers, options)
    best = Math.min(best, cost)
    if (!isTwice(route)) once = Math.min(once, cost)
  }
  return { best, once }
}

const total = 5

const serverArbitrary = fc
  .record({
    first: fc.integer({ min: 0, max: total - 1 }),
    length: fc.integer({ min: 1, max: total }),
    roundTripMs: fc.option(fc.integer({ min: 0, max: 8000 }), { nil: undefined }),
    decodeRate: fc.integer({ min: 0, max: 100 }),
    forwardRate: fc.integer({ min: 0, max: 5000 }),
    cacheBytesFree: fc.integer({ min: 0, max: 40 }),
    queueMs: fc.constantFrom(0, 0, 300),
    trainingQueueMs: fc.constantFrom(0, 0, 900),
    slowness: fc.constantFrom(1, 1, 4),
    trips: fc
      .dictionary(fc.constantFrom('peer-0', 'peer-1', 'peer-2', 'peer-3'), fc.integer({ min: 0, max: 900 }), {
        maxKeys: 2
      })
      .map(trips => new Map(Object.entries(trips)))
  })
  .map(({ first, length, ...fields }) => ({ blocks: { first, end: Math.min(total, first + length) }, ...fields }))

const swarmArbitrary = fc.array(serverArbitrary, { maxLength: 4 }).map(servers =>
  servers.map(({ trips, ...fields }, index) => {
    const peerId = `peer-${index}`
    // a server measures no trip to itself
    return { peerId, ...fields, trips: new Map([...trips].filter(([other]) => other !== peerId)) }
  })
)

const optionsArbitrary: fc.Arbitrary<RouteOptions> = fc.record({
  mode: fc.constantFrom('latency' as const, 'throughput' as const),
  excluded: fc.array(fc.constantFrom('peer-0', 'peer-3'), { maxLength: 2 }).map(peers => new Set(peers)),
  cacheBytesPerBlock: fc.constantFrom(0, 8),
  tokens: fc.constantFrom(1, 64, 1024),
  chained: fc.constantFrom(undefined, false, true)
})

const rangeArbitrary = fc
  .tuple(fc.integer({ min: 0, max: total - 1 }), fc.integer({ min: 1, max: total }))
  .filter(([first, end]) => first < end)
  .map(([first, end]) => ({ first, end }))

function assertCovers(route: readonly Hop[], blocks: BlockRange, servers: readonly RouteServer[]): void {
  let at = blocks.first
  for (const hop of route) {
    const host = servers.find(candidate => candidate.peerId === hop.peerId)!
    assert.equal(hop.blocks.first, at)
    assert.ok(hop.blocks.end > at && host.blocks.first <= at && hop.blocks.end <= host.blocks.end)
    at = hop.blocks.end
  }
  assert.equal(at, blocks.end)
}

describe('routing', () => {
  it('finds the cheapest of all routes in random swarms, or none where there is none', () => {
    fc.assert(
      fc.property(swarmArbitrary, rangeArbitrary, optionsArbitrary, (servers, blocks, options) => {
        const { best, once } = bruteForce(servers, blocks, options)
        if (best === Infinity) {
          assert.throws(() => findRoute(servers, blocks, options), { code: 'BLOCKS_UNAVAILABLE' })
          return
        }
        const route = findRoute(servers, blocks, options)
        assertCovers(route, blocks, servers)
        const cost = routeCost(route, servers, options)
        const isChained = options.chained ?? options.mode !== 'throughput'
        if (isChained) assert.ok(!isTwice(route))
        // where it would be best to ask a server twice, a chain may be a little dearer than need be
        if (!isChained || Math.abs(best - once) < 1e-6) assert.ok(Math.abs(cost - best) < 1e-6)
        else assert.ok(cost > once - 1e-6)
        assert.ok(!route.some(hop => options.excluded?.has(hop.peerId)))
      }),
      { numRuns: 500 }
    )
  })

  it('loses nothing by leaving out servers that others beat in everything', () => {
    const large = fc.array(serverArbitrary, { minLength: 10, maxLength: 60 })
    const indexed = large.map(all =>
      all.map((fields, index) => ({ peerId: `peer-${index}`, ...fields, trips: undefined }))
    )
    fc.assert(
      fc.property(indexed, rangeArbitrary, optionsArbitrary, (servers, blocks, options) => {
        const free = { ...options, chained: false }
        const left = undominated(servers, blocks, free, { few: 0 })
        const [whole, part] = [servers, left].map(some => searchRoute(some, blocks, free))
        assert.equal(part === null, whole === null)
        if (whole == null || part == null) return
        assert.ok(Math.abs(routeCost(part, servers, free) - routeCost(whole, servers, free)) < 1e-6)
      }),
      { numRuns: 300 }
    )
  })

  it('leaves a slow server as early as another can take over', () => {
    const servers = [server('slow', 0, 8, { decodeRate: 10 }), server('fast', 2, 12)]
    assert.deepEqual(findRoute(servers, { first: 0, end: 12 }), [
      { peerId: 'slow', blocks: { first: 0, end: 2 } },
      { peerId: 'fast', blocks: { first: 2, end: 12 } }
    ])
  })

  it('counts one way between servers that hand on to each other, measured by them where they have', () => {
    const blocks = { first: 0, end: 8 }
    const near = server('near', 4, 8, { roundTripMs: 100 })
    const far = server('far', 4, 8, { roundTripMs: 100 })
    const first = server('first', 0, 4, {
      roundTripMs: 100,
      trips: new Map([
        ['near', 2],
        ['far', 400]
      ])
    })
    const servers = [first, far, near]
    const route = findRoute(servers, blocks)
    assert.deepEqual(
      route.map(({ peerId }) => peerId),
      ['first', 'near']
    )
    // to the first, to the second, back; two hops and eight blocks at 1000 a second
    assert.equal(routeCost(route, servers), 50 + 1 + 50 + 2 * 18 + 8)
    assert.equal(routeCost(route, servers, { chained: false }), 4 * 50 + 2 * 18 + 8)
  })

  it('goes round a queue, and round a server that was slower than it says', () => {
    const blocks = { first: 0, end: 4 }
    for (const trouble of [{ queueMs: 200 }, { slowness: 20 }]) {
      const servers = [server('busy', 0, 4, { decodeRate: 100, ...trouble }), server('idle', 0, 4, { decodeRate: 50 })]
      assert.equal(findRoute(servers, blocks)[0]!.peerId, 'idle')
    }
  })

  it('takes one hop rather than two where the second saves less than it costs', () => {
    const servers = [server('all', 0, 12), server('half', 6, 12, { decodeRate: 1500 })]
    assert.deepEqual(findRoute(servers, { first: 0, end: 12 }), [{ peerId: 'all', blocks: { first: 0, end: 12 } }])
  })

  it('prefers the near server for decode steps and the strong one for training', () => {
    const near = server('near', 0, 4, { roundTripMs: 1, decodeRate: 100, forwardRate: 100 })
    const strong = server('strong', 0, 4, { roundTripMs: 80, decodeRate: 110, forwardRate: 10_000 })
    const blocks = { first: 0, end: 4 }
    assert.equal(findRoute([near, strong], blocks, { mode: 'latency' })[0]!.peerId, 'near')
    assert.equal(findRoute([near, strong], blocks, { mode: 'throughput' })[0]!.peerId, 'strong')
  })

  it('takes a server without room for the cache only where there is no other', () => {
    const full = server('full', 0, 4, { cacheBytesFree: 10 })
    const far = server('far', 0, 4, { roundTripMs: 4000 })
    const options = { cacheBytesPerBlock: 100 }
    assert.equal(findRoute([full, far], { first: 0, end: 4 }, options)[0]!.peerId, 'far')
    assert.equal(findRoute([full], { first: 0, end: 4 }, options)[0]!.peerId, 'full')
    assert.equal(hopCost(full, 4, options) - hopCost(full, 4), cacheShortageMs)
  })

  it('counts an unknown round trip as 150 ms and a very long one as 5 s', () => {
    const cost = (roundTripMs: number | undefined) => hopCost(server('peer', 0, 1, { roundTripMs }), 1)
    assert.equal(cost(undefined), cost(150))
    assert.equal(cost(60_000), cost(maxRoundTripMs))
  })

  it('lists the blocks that nobody serves and how many servers there are', () => {
    const servers = [server('a', 0, 4), server('b', 8, 9), server('c', 10, 12)]
    assert.throws(
      () => findRoute(servers, { first: 0, end: 12 }),
      (error: SwarmError) => {
        assert.equal(error.code, 'BLOCKS_UNAVAILABLE')
        assert.match(error.message, /no server for blocks 4\.\.7, 9 \(3 servers of this model seen\)/)
        return true
      }
    )
  })

  it('says that servers were left out when these are the reason', () => {
    const servers = [server('a', 0, 4), server('b', 4, 5)]
    assert.throws(() => findRoute(servers, { first: 0, end: 5 }, { excluded: new Set(['b']) }), {
      message: /no server for block 4 \(2 servers of this model seen, 1 of them excluded after failures\)/
    })
  })

  it('routes 200 servers over 80 blocks in milliseconds', () => {
    const servers = Array.from({ length: 200 }, (_, index) =>
      server(`peer-${index}`, index % 71, (index % 71) + 10, { roundTripMs: (index * 37) % 100 })
    )
    const started = performance.now()
    assertCovers(findRoute(servers, { first: 0, end: 80 }), { first: 0, end: 80 }, servers)
    assert.ok(performance.now() - started < 200)
  })
})
