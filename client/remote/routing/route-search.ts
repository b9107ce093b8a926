// The search for the cheapest route. States are "computed up to block b, by server s": every edge leads to a later
// block, so that one pass over the blocks settles them all, and of the possible starts at a server only the cheapest so
// far is kept. Data of servers is stored in typed arrays: with thousands of servers objects take several times as long.
import type { BlockRange } from '../../../common/range.ts'
import {
  cacheShortageMs,
  fixedMs,
  type Hop,
  isChained,
  measuredTripMs,
  type RouteOptions,
  type RouteServer,
  roomFor,
  roundTripOf,
  workMs
} from './route-costs.ts'

/** A start of a server at a block: the server that computed the blocks before (-1: none), and the time. */
interface Entry {
  readonly block: number
  readonly from: number
  readonly at: number
}

/** Activations that have left a server which has computed all before a block, the earliest first; by -1: our inputs. */
interface Left {
  readonly at: number
  readonly from: number
}

/** Maximum number of candidates to consider if the first ones have measured a long trip. */
const maxLeft = 8

/** The servers, their spans cut to the blocks that are wanted, by index. */
interface Nodes {
  readonly servers: readonly RouteServer[]
  readonly first: Int32Array
  readonly end: Int32Array
  readonly fixed: Float64Array
  readonly perBlock: Float64Array
  readonly half: Float64Array
  readonly busyUntil: Float64Array
  /** blocks that the cache has room for */
  readonly room: Float64Array
  /** that is not the whole span: then all prefixes of routes are kept, else only the best one */
  readonly isCrowded: Uint8Array
  readonly entries: ReadonlyMap<number, Entry[]>
  /** offset of a server's blocks in arrays by server and block */
  readonly offset: Int32Array
}

/** Measured one-way trips to servers: for server s the entries from `start[s]` to before `start[s + 1]`. */
interface Trips {
  readonly start: Int32Array
  readonly from: Int32Array
  readonly ms: Float64Array
}

function nodesOf(servers: readonly RouteServer[], blocks: BlockRange, options: RouteOptions): Nodes {
  const count = servers.length
  const numbers = (): Float64Array => new Float64Array(count)
  const nodes = {
    servers,
    first: new Int32Array(count),
    end: new Int32Array(count),
    offset: new Int32Array(count + 1),
    fixed: numbers(),
    perBlock: numbers(),
    half: numbers(),
    busyUntil: numbers(),
    room: numbers(),
    isCrowded: new Uint8Array(count),
    entries: new Map<number, Entry[]>()
  }
  for (let index = 0; index < count; index++) {
    const server = servers[index]!
    const first = Math.max(server.blocks.first, blocks.first)
    const end = Math.max(first, Math.min(server.blocks.end, blocks.end))
    const room = roomFor(server, options)
    nodes.first[index] = first
    nodes.end[index] = end
    nodes.offset[index + 1] = nodes.offset[index]! + end - first + 1
    nodes.fixed[index] = fixedMs(server, options)
    nodes.perBlock[index] = workMs(server, 1, options)
    nodes.half[index] = roundTripOf(server) / 2
    nodes.busyUntil[index] = options.busyUntilMs?.get(server.peerId) ?? 0
    nodes.room[index] = room
    if (room >= end - first) continue
    nodes.isCrowded[index] = 1
    nodes.entries.set(index, [])
  }
  return nodes
}

/** Measured trips between servers that can follow each other; none if the client is between them. */
function tripsOf({ servers, first, end }: Nodes, options: RouteOptions): Trips {
  const start = new Int32Array(servers.length + 1)
  const found: number[] = []
  if (isChained(options) && servers.some(({ trips }) => trips !== undefined)) {
    const indexes = new Map(servers.map(({ peerId }, index) => [peerId, index]))
    for (let from = 0; from < servers.length; from++) {
      servers[from]!.trips?.forEach((roundTripMs, peerId) => {
        const to = indexes.get(peerId) ?? from
        if (to === from || first[to]! > end[from]! || end[to]! <= first[from]! + 1) return
        found.push(from, to, measuredTripMs(roundTripMs))
        start[to + 1]! += 1
      })
    }
  }
  for (let index = 0; index < servers.length; index++) start[index + 1]! += start[index]!
  const place = start.slice()
  const trips = { start, from: new Int32Array(found.length / 3), ms: new Float64Array(found.length / 3) }
  for (let at = 0; at < found.length; at += 3) {
    const to = place[found[at + 1]!]!++
    trips.from[to] = found[at]!
    trips.ms[to] = found[at + 2]!
  }
  return trips
}

/** The cheapest route, or null if there is none. */
export function searchRoute(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions
): readonly Hop[] | null {
  return new Search(servers, blocks, options).run()
}

const none: readonly Entry[] = []

class Search {
  readonly #blocks: BlockRange
  readonly #nodes: Nodes
  readonly #trips: Trips
  /** what leaving a server and entering another costs, each its share of an unmeasured trip */
  readonly #share: number
  /** cheapest route so far that starts at each server, of any length, and its cost before any block */
  readonly #bestBlock: Int32Array
  readonly #bestFrom: Int32Array
  readonly #bestAt: Float64Array
  readonly #bestCost: Float64Array
  /** by server and block: the time when all earlier blocks are computed, and the start of the server */
  readonly #done: Float64Array
  readonly #howBlock: Int32Array
  readonly #howFrom: Int32Array
  /** a route may be cut anywhere */
  readonly #isFree: boolean

  constructor(servers: readonly RouteServer[], blocks: BlockRange, options: RouteOptions) {
    this.#blocks = blocks
    this.#nodes = nodesOf(servers, blocks, options)
    this.#trips = tripsOf(this.#nodes, options)
    this.#share = isChained(options) ? 0.5 : 1
    const count = servers.length
    this.#bestBlock = new Int32Array(count)
    this.#bestFrom = new Int32Array(count)
    this.#bestAt = new Float64Array(count)
    this.#bestCost = new Float64Array(count).fill(Infinity)
    const size = this.#nodes.offset[count]!
    this.#done = new Float64Array(size).fill(Infinity)
    this.#howBlock = new Int32Array(size)
    this.#howFrom = new Int32Array(size)
    // work is proportional to blocks: without trips and caches the cheapest cuts are at starts and ends of servers
    this.#isFree = isChained(options) || Boolean(options.cacheBytesPerBlock)
  }

  run(): readonly Hop[] | null {
    const { first, end, half, offset } = this.#nodes
    const { first: begin, end: last } = this.#blocks
    const starting = new Map<number, number[]>()
    for (let index = 0; index < first.length; index++) {
      const block = first[index]!
      const others = starting.get(block)
      if (end[index]! <= block) continue
      if (others === undefined) starting.set(block, [index])
      else others.push(index)
    }
    let general: readonly Left[] = [{ at: 0, from: -1 }]
    /** when the first server has computed all before the block */
    let earliest = 0
    let active: number[] = []
    for (let block = begin; block < last; block++) {
      active = merge(active, starting.get(block) ?? [], index => end[index]! > block)
      const next: Left[] = []
      let soonest = Infinity
      for (const index of active) {
        this.#enter(index, block, general, earliest)
        if (this.#bestCost[index] === Infinity) continue
        const at = this.#compute(index, block + 1, offset[index]! + block + 1 - first[index]!)
        soonest = Math.min(soonest, at)
        if (!this.#isFree && end[index] !== block + 1 && !starting.has(block + 1)) continue
        rank(next, at + half[index]! * (block + 1 === last ? 1 : this.#share), index)
      }
      if (soonest === Infinity) return null
      general = next
      earliest = soonest
    }
    return this.#trace(general[0]!.from)
  }

  /** Considers starting at `block`, coming from the cheapest server or from one that has measured the trip. */
  #enter(index: number, block: number, general: readonly Left[], earliest: number): void {
    const { first, end, half, offset, perBlock, busyUntil, isCrowded } = this.#nodes
    const ownWork = block * perBlock[index]!
    // no server can forward before it is ready
    if (earliest - ownWork >= this.#bestCost[index]! && isCrowded[index] === 0) return
    let [at, from] = [Infinity, -1]
    for (const left of general) {
      if (this.#hasMeasured(index, left.from)) continue
      ;[at, from] = [left.at + half[index]! * (left.from === -1 ? 1 : this.#share), left.from]
      break
    }
    const { start, from: sources, ms } = this.#trips
    for (let trip = start[index]!; trip < start[index + 1]!; trip++) {
      const source = sources[trip]!
      const sourceFirst = first[source]!
      if (block <= sourceFirst || block > end[source]!) continue
      const arrives = this.#done[offset[source]! + block - sourceFirst]! + ms[trip]!
      if (arrives < at) [at, from] = [arrives, source]
    }
    if (at === Infinity) return
    const begins = Math.max(at, busyUntil[index]!)
    if (isCrowded[index] === 1) this.#nodes.entries.get(index)!.push({ block, from, at: begins })
    if (begins - ownWork >= this.#bestCost[index]!) return
    this.#bestBlock[index] = block
    this.#bestFrom[index] = from
    this.#bestAt[index] = begins
    this.#bestCost[index] = begins - ownWork
  }

  #hasMeasured(index: number, from: number): boolean {
    const { start, from: sources } = this.#trips
    for (let trip = start[index]!; trip < start[index + 1]!; trip++) if (sources[trip] === from) return true
    return false
  }

  /** Computes up to `end` from the best start, and stores the result at `state`. */
  #compute(index: number, end: number, state: number): number {
    let block = this.#bestBlock[index]!
    let from = this.#bestFrom[index]!
    let done = this.#doneAt(index, this.#bestAt[index]!, block, end)
    const room = this.#nodes.room[index]!
    const entries = end - block > room ? this.#nodes.entries.get(index)! : none
    // a later start may be better if its cache has room: later ones are shorter and come last
    for (let at = entries.length - 1; at >= 0; at--) {
      const entry = entries[at]!
      if (end - entry.block > room) break
      const other = this.#doneAt(index, entry.at, entry.block, end)
      if (other < done) [done, block, from] = [other, entry.block, entry.from]
    }
    this.#done[state] = done
    this.#howBlock[state] = block
    this.#howFrom[state] = from
    return done
  }

  /** Time at which a server that starts with `block` at `at` has computed up to `end`. */
  #doneAt(index: number, at: number, block: number, end: number): number {
    const { perBlock, fixed, room } = this.#nodes
    const length = end - block
    return at + length * perBlock[index]! + fixed[index]! + (length > room[index]! ? cacheShortageMs : 0)
  }

  #trace(last: number): Hop[] {
    const { servers, first, offset } = this.#nodes
    const route: Hop[] = []
    for (let [by, end] = [last, this.#blocks.end]; by !== -1; ) {
      const state = offset[by]! + end - first[by]!
      const block = this.#howBlock[state]!
      route.unshift({ peerId: servers[by]!.peerId, blocks: { first: block, end } })
      ;[by, end] = [this.#howFrom[state]!, block]
    }
    return route
  }
}

/** Merges two sorted lists, with only the continuing entries of the first. Of equal entries the first comes first. */
function merge(active: readonly number[], fresh: readonly number[], goesOn: (index: number) => boolean): number[] {
  const merged: number[] = []
  let at = 0
  for (const index of active) {
    while (at < fresh.length && fresh[at]! < index) merged.push(fresh[at++]!)
    if (goesOn(index)) merged.push(index)
  }
  while (at < fresh.length) merged.push(fresh[at++]!)
  return merged
}

/** Keeps the first few in order of time. */
function rank(lefts: Left[], at: number, from: number): void {
  if (lefts.length === maxLeft && at >= lefts[maxLeft - 1]!.at) return
  let place = lefts.length
  while (place > 0 && lefts[place - 1]!.at > at) place -= 1
  lefts.splice(place, 0, { at, from })
  if (lefts.length > maxLeft) lefts.pop()
}
