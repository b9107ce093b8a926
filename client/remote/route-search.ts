// The search for the cheapest route. States are "computed up to block b, by server s": every edge leads to a later block, so
// that one pass over the blocks settles them all, and of the places where a server may begin only the cheapest so far is kept.
import type { BlockRange } from '../../common/range.ts'
import {
  cacheShortageMs,
  fixedMs,
  type Hop,
  isChained,
  type RouteOptions,
  type RouteServer,
  roomFor,
  roundTripOf,
  tripMs,
  workMs
} from './route-costs.ts'

/** How a server begins at a block: by which server what came before was computed (-1: nothing came before), and when. */
interface Entry {
  readonly block: number
  readonly from: number
  readonly at: number
}

/** A server in the search, its span cut to the blocks that are wanted. */
interface Node {
  readonly server: RouteServer
  readonly first: number
  readonly end: number
  readonly fixed: number
  readonly perBlock: number
  /** a measured round trip is no estimate: it is left out of `half` at both ends where a trip is known */
  readonly half: number
  readonly busyUntil: number
  /** blocks that its cache has room for */
  readonly room: number
  /** those that have measured the way to it, with the one-way time */
  readonly before: readonly { readonly from: number; readonly ms: number }[]
  /** cheapest beginning so far, whatever the length, and its cost with no block computed */
  best: Entry | null
  bestCost: number
  /** beginnings that the cache may have room for, in order; only where it has not for the whole span */
  readonly entries: Entry[]
  /** for each block up to which it has computed: when that is done, and how it began */
  readonly done: Float64Array
  readonly how: (Entry | null)[]
}

/** Activations that have left a server which has computed all before a block, the earliest first; by -1: our inputs. */
interface Left {
  readonly at: number
  readonly from: number
}

/** More than these are not looked at where the first are servers that have measured the way and found it long. */
const maxLeft = 8

function nodesOf(servers: readonly RouteServer[], blocks: BlockRange, options: RouteOptions): Node[] {
  const indexes = new Map(servers.map((server, index) => [server.peerId, index]))
  const before: { from: number; ms: number }[][] = servers.map(() => [])
  if (isChained(options)) {
    for (const [from, server] of servers.entries()) {
      for (const peerId of server.trips?.keys() ?? []) {
        const to = indexes.get(peerId)
        if (to !== undefined && to !== from) before[to]!.push({ from, ms: tripMs(server, servers[to]!) })
      }
    }
  }
  return servers.map((server, index) => {
    const first = Math.max(server.blocks.first, blocks.first)
    const end = Math.max(first, Math.min(server.blocks.end, blocks.end))
    return {
      server,
      first,
      end,
      fixed: fixedMs(server, options),
      perBlock: workMs(server, 1, options),
      half: roundTripOf(server) / 2,
      busyUntil: options.busyUntilMs?.get(server.peerId) ?? 0,
      room: roomFor(server, options),
      before: before[index]!,
      best: null,
      bestCost: Infinity,
      entries: [],
      done: new Float64Array(end - first + 1).fill(Infinity),
      how: []
    }
  })
}

/** The cheapest route, or null where there is none. */
export function searchRoute(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions
): readonly Hop[] | null {
  const nodes = nodesOf(servers, blocks, options)
  // what leaving a server and entering another costs, each its share of a trip that nobody has measured
  const share = isChained(options) ? 0.5 : 1
  const starting = Map.groupBy(
    nodes.keys().filter(index => nodes[index]!.end > nodes[index]!.first),
    index => nodes[index]!.first
  )
  const left = new Map<number, readonly Left[]>([[blocks.first, [{ at: 0, from: -1 }]]])
  // work is proportional to blocks: without trips and caches no cut is cheaper than one where a server ends or another begins
  const isFree = isChained(options) || Boolean(options.cacheBytesPerBlock)
  const isCut = (block: number, { end }: Node): boolean => isFree || end === block || starting.has(block)
  let active: number[] = []
  for (let block = blocks.first; block < blocks.end; block++) {
    const fresh = starting.get(block) ?? []
    active = active.filter(index => nodes[index]!.end > block).concat(fresh)
    // of equals the first
    if (fresh.length > 0) active.sort((a, b) => a - b)
    const search = { nodes, general: left.get(block) ?? [], share, isCut }
    const next: Left[] = []
    for (const index of active) {
      const node = nodes[index]!
      enter(node, block, search)
      const at = compute(node, block + 1)
      if (at === Infinity || !isCut(block + 1, node)) continue
      rank(next, { at: at + node.half * (block + 1 === blocks.end ? 1 : share), from: index })
    }
    if (next.length > 0) left.set(block + 1, next)
  }
  const [last] = left.get(blocks.end) ?? []
  return last === undefined ? null : trace(nodes, blocks, last.from)
}

/** Keeps the first few in order of time. */
function rank(lefts: Left[], left: Left): void {
  if (lefts.length === maxLeft && left.at >= lefts[maxLeft - 1]!.at) return
  let place = lefts.length
  while (place > 0 && lefts[place - 1]!.at > left.at) place -= 1
  lefts.splice(place, 0, left)
  if (lefts.length > maxLeft) lefts.pop()
}

interface Search {
  readonly nodes: readonly Node[]
  readonly general: readonly Left[]
  readonly share: number
  isCut(block: number, after: Node): boolean
}

/** Considers beginning with `block`, coming from whoever was cheapest or from one that has measured the way. */
function enter(node: Node, block: number, { nodes, general, share, isCut }: Search): void {
  let [at, from] = [Infinity, -1]
  const { before } = node
  const first =
    before.length === 0 ? general[0] : general.find(left => !before.some(({ from: index }) => index === left.from))
  if (first !== undefined) [at, from] = [first.at + node.half * (first.from === -1 ? 1 : share), first.from]
  for (const { from: index, ms } of before) {
    const { first, end, done } = nodes[index]!
    if (block <= first || block > end || !isCut(block, nodes[index]!)) continue
    const arrives = done[block - first]! + ms
    if (arrives < at) [at, from] = [arrives, index]
  }
  if (at === Infinity) return
  const begins = Math.max(at, node.busyUntil)
  const cost = begins - block * node.perBlock
  const isCrowded = node.room < node.end - node.first
  if (cost >= node.bestCost && !isCrowded) return
  const entry = { block, from, at: begins }
  if (isCrowded) node.entries.push(entry)
  if (cost >= node.bestCost) return
  node.best = entry
  node.bestCost = cost
}

/** When the server has computed up to `end`. */
function compute(node: Node, end: number): number {
  const { best, bestCost, perBlock, fixed, room, entries, first } = node
  if (best === null) return Infinity
  const isShort = end - best.block > room
  let at = bestCost + end * perBlock + fixed + (isShort ? cacheShortageMs : 0)
  let how = best
  if (isShort) {
    for (const entry of entries) {
      if (end - entry.block > room) continue
      const without = entry.at + (end - entry.block) * perBlock + fixed
      if (without < at) [at, how] = [without, entry]
    }
  }
  node.done[end - first] = at
  node.how[end - first] = how
  return at
}

function trace(nodes: readonly Node[], blocks: BlockRange, last: number): Hop[] {
  const route: Hop[] = []
  for (let [index, end] = [last, blocks.end]; index !== -1; ) {
    const { server, first, how } = nodes[index]!
    const { block, from } = how[end - first]!
    route.unshift({ peerId: server.peerId, blocks: { first: block, end } })
    ;[index, end] = [from, block]
  }
  return route
}
