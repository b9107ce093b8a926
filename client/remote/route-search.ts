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

/** How a server may begin at a block: by which server what came before was computed (-1: nothing came before), and when. */
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
  readonly half: number
  readonly busyUntil: number
  /** blocks that its cache has room for */
  readonly room: number
  /** that is not the whole span: then all beginnings are kept, else the best one */
  readonly isCrowded: boolean
  /** those that have measured the way to it, with the one-way time */
  readonly before: { readonly from: number; readonly ms: number }[]
  /** cheapest beginning so far, whatever the length, and its cost with no block computed */
  best: Entry | null
  bestCost: number
  readonly entries: Entry[]
  /** where its blocks begin in `done` and `how` */
  readonly offset: number
}

/** Activations that have left a server which has computed all before a block, the earliest first; by -1: our inputs. */
interface Left {
  readonly at: number
  readonly from: number
}

/** More than these are not looked at where the first are servers that have measured the way and found it long. */
const maxLeft = 8

function nodesOf(servers: readonly RouteServer[], blocks: BlockRange, options: RouteOptions): Node[] {
  let offset = 0
  const nodes = servers.map((server): Node => {
    const first = Math.max(server.blocks.first, blocks.first)
    const end = Math.max(first, Math.min(server.blocks.end, blocks.end))
    const room = roomFor(server, options)
    offset += end - first + 1
    return {
      server,
      first,
      end,
      fixed: fixedMs(server, options),
      perBlock: workMs(server, 1, options),
      half: roundTripOf(server) / 2,
      busyUntil: options.busyUntilMs?.get(server.peerId) ?? 0,
      room,
      isCrowded: room < end - first,
      before: [],
      best: null,
      bestCost: Infinity,
      entries: [],
      offset: offset - (end - first + 1)
    }
  })
  if (isChained(options)) addTrips(nodes)
  return nodes
}

/** Of the measured trips those between servers of which one can follow the other. */
function addTrips(nodes: readonly Node[]): void {
  if (!nodes.some(({ server }) => server.trips !== undefined)) return
  const indexes = new Map(nodes.map(({ server }, index) => [server.peerId, index]))
  for (const [from, { server, first, end }] of nodes.entries()) {
    for (const peerId of server.trips?.keys() ?? []) {
      const to = nodes[indexes.get(peerId) ?? from]!
      if (to === nodes[from] || to.first > end || to.end <= first + 1) continue
      to.before.push({ from, ms: tripMs(server, to.server) })
    }
  }
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
  const last = nodes.at(-1)
  const size = last === undefined ? 0 : last.offset + last.end - last.first + 1
  const done = new Float64Array(size).fill(Infinity)
  const how = new Array<Entry | null>(size).fill(null)
  const isFree = isChained(options) || Boolean(options.cacheBytesPerBlock)
  const isCut = (block: number, { end }: Node): boolean => isFree || end === block || starting.has(block)
  let active: number[] = []
  for (let block = blocks.first; block < blocks.end; block++) {
    const fresh = starting.get(block) ?? []
    active = active.filter(index => nodes[index]!.end > block).concat(fresh)
    // of equals the first
    if (fresh.length > 0) active.sort((a, b) => a - b)
    const search = { nodes, done, general: left.get(block) ?? [], share, isCut }
    const next: Left[] = []
    for (const index of active) {
      const node = nodes[index]!
      enter(node, block, search)
      if (node.best === null) continue
      const entry = node.isCrowded ? withRoom(node, block + 1) : node.best
      const at = doneAt(node, entry, block + 1)
      done[node.offset + block + 1 - node.first] = at
      how[node.offset + block + 1 - node.first] = entry
      if (!isCut(block + 1, node)) continue
      rank(next, { at: at + node.half * (block + 1 === blocks.end ? 1 : share), from: index })
    }
    if (next.length > 0) left.set(block + 1, next)
  }
  const [first] = left.get(blocks.end) ?? []
  return first === undefined ? null : trace(nodes, how, { end: blocks.end, by: first.from })
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
  readonly done: Float64Array
  readonly general: readonly Left[]
  readonly share: number
  isCut(block: number, after: Node): boolean
}

/** Considers beginning with `block`, coming from whoever was cheapest or from one that has measured the way. */
function enter(node: Node, block: number, { nodes, done, general, share, isCut }: Search): void {
  let [at, from] = [Infinity, -1]
  for (const left of general) {
    if (hasMeasured(node, left.from)) continue
    ;[at, from] = [left.at + node.half * (left.from === -1 ? 1 : share), left.from]
    break
  }
  for (const { from: index, ms } of node.before) {
    const { first, end, offset } = nodes[index]!
    if (block <= first || block > end || !isCut(block, nodes[index]!)) continue
    const arrives = done[offset + block - first]! + ms
    if (arrives < at) [at, from] = [arrives, index]
  }
  if (at === Infinity) return
  const begins = Math.max(at, node.busyUntil)
  const cost = begins - block * node.perBlock
  if (cost >= node.bestCost && !node.isCrowded) return
  const entry = { block, from, at: begins }
  if (node.isCrowded) node.entries.push(entry)
  if (cost >= node.bestCost) return
  node.best = entry
  node.bestCost = cost
}

function hasMeasured({ before }: Node, from: number): boolean {
  for (const trip of before) if (trip.from === from) return true
  return false
}

/** When a server that begins so has computed up to `end`. */
function doneAt({ perBlock, fixed, room }: Node, { at, block }: Entry, end: number): number {
  return at + (end - block) * perBlock + fixed + (end - block > room ? cacheShortageMs : 0)
}

/** The best beginning where a late one may be better, for which the cache has room. */
function withRoom(node: Node, end: number): Entry {
  let best = node.best!
  if (end - best.block <= node.room) return best
  let at = doneAt(node, best, end)
  // later ones are shorter: those for which there is room stand last
  for (let index = node.entries.length - 1; index >= 0; index--) {
    const entry = node.entries[index]!
    if (end - entry.block > node.room) break
    const other = doneAt(node, entry, end)
    if (other < at) [best, at] = [entry, other]
  }
  return best
}

function trace(nodes: readonly Node[], how: readonly (Entry | null)[], last: { end: number; by: number }): Hop[] {
  const route: Hop[] = []
  for (let { by, end } = last; by !== -1; ) {
    const { server, first, offset } = nodes[by]!
    const { block, from } = how[offset + end - first]!
    route.unshift({ peerId: server.peerId, blocks: { first: block, end } })
    ;[by, end] = [from, block]
  }
  return route
}
