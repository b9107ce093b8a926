// Which servers a request passes through: the cheapest chain of spans that covers a range of blocks. Pure: data in,
// data out. Costs and constants as Petals has them (arXiv 2312.08361, section 3.2, and its public code).
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { second } from '../../common/units.ts'

/** What routing knows of a server. Rates as in its announcement: blocks per second, for a decode step and for each token of a forward pass. */
export interface RouteServer {
  readonly peerId: string
  readonly blocks: BlockRange
  /** measured round trip; undefined where it is not known yet */
  readonly roundTripMs?: number
  readonly decodeRate: number
  readonly forwardRate: number
  readonly cacheBytesFree: number
}

/** One server and the part of its blocks that it is asked to compute. */
export interface Hop {
  readonly peerId: string
  readonly blocks: BlockRange
}

/** What is made small: the time of one decode step, or that of a forward pass over many tokens. */
export type RouteMode = 'latency' | 'throughput'

export interface RouteOptions {
  readonly mode?: RouteMode
  /** peers that must not be asked */
  readonly excluded?: ReadonlySet<string>
  /** bytes of KV cache that a session needs for each block; default 0 */
  readonly cacheBytesPerBlock?: number
  /** tokens of a forward pass in mode 'throughput'; default 1024 */
  readonly tokens?: number
  /** milliseconds from now on for which a server has other work of this client; a request that comes earlier waits */
  readonly busyUntilMs?: ReadonlyMap<string, number>
}

/** A round trip that nobody has measured counts so much. */
export const unknownRoundTripMs = 150
/** A round trip counts at most so much. */
export const maxRoundTripMs = 5 * second
/** What a hop costs beside the network and the blocks: framing, queueing, feeding. */
export const hopMs = 18
/** Added where the free KV cache is too small: such a server is taken only when there is no other. */
export const cacheShortageMs = 10 * second
/** Rate that is assumed of a server that announces none. */
const unknownRate = 50
const defaultTokens = 1024

/** Milliseconds for which computing `length` blocks keeps a server busy. */
export function workMs(server: RouteServer, length: number, options: RouteOptions = {}): number {
  const { mode = 'latency', tokens = defaultTokens } = options
  const rate = (mode === 'latency' ? server.decodeRate : server.forwardRate) || unknownRate
  return ((mode === 'latency' ? 1 : tokens) * length * second) / rate
}

/**
 * Milliseconds that a server adds to a route by computing `length` blocks. Activations return to the client after each
 * hop, so that a hop costs its round trip twice by half.
 */
export function hopCost(server: RouteServer, length: number, options: RouteOptions = {}): number {
  const { cacheBytesPerBlock = 0 } = options
  const roundTrip = Math.min(server.roundTripMs ?? unknownRoundTripMs, maxRoundTripMs)
  const shortage = server.cacheBytesFree < cacheBytesPerBlock * length ? cacheShortageMs : 0
  return roundTrip + hopMs + workMs(server, length, options) + shortage
}

/** When a request that reaches the server at `atMs` comes back computed. */
export function arrivalMs(atMs: number, server: RouteServer, length: number, options: RouteOptions): number {
  return Math.max(atMs, options.busyUntilMs?.get(server.peerId) ?? 0) + hopCost(server, length, options)
}

/** `[4, 5, 6, 9]` -> `4..6, 9` */
function formatBlocks(blocks: readonly number[]): string {
  const runs: [number, number][] = []
  for (const block of blocks) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === block - 1) last[1] = block
    else runs.push([block, block])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}..${to}`)).join(', ')
}

function unavailable(blocks: BlockRange, usable: readonly RouteServer[], seen: number): SwarmError {
  const missing: number[] = []
  for (let block = blocks.first; block < blocks.end; block++) {
    if (!usable.some(server => server.blocks.first <= block && block < server.blocks.end)) missing.push(block)
  }
  const servers = `${seen} server${seen === 1 ? '' : 's'} of this model seen`
  const left = seen > usable.length ? `, ${seen - usable.length} of them left out after failures` : ''
  return new SwarmError(
    'BLOCKS_UNAVAILABLE',
    `no server for block${missing.length === 1 ? '' : 's'} ${formatBlocks(missing)} (${servers}${left}); start one with 'swarm serve <model> --join <address>'`
  )
}

/**
 * The cheapest chain of hops through `blocks`. Dijkstra's algorithm over the states "computed up to block b": every
 * edge leads to a later block, so visiting them in order settles each once. A hop ends where its server does or where
 * another begins: work is proportional to blocks, so no other cut is cheaper (but for sessions, which must fit into caches).
 * Throws BLOCKS_UNAVAILABLE naming the blocks that nobody serves.
 */
export function findRoute(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions = {}
): readonly Hop[] {
  const usable = servers.filter(server => !options.excluded?.has(server.peerId))
  const starts = new Set(usable.map(server => server.blocks.first))
  const best = new Map<number, { cost: number; hop: Hop | null }>([[blocks.first, { cost: 0, hop: null }]])
  for (let block = blocks.first; block < blocks.end; block++) {
    const state = best.get(block)
    if (state === undefined) continue
    for (const server of usable) {
      if (server.blocks.first > block || server.blocks.end <= block) continue
      const last = Math.min(server.blocks.end, blocks.end)
      for (let end = block + 1; end <= last; end++) {
        if (end < last && !starts.has(end) && !options.cacheBytesPerBlock) continue
        const cost = arrivalMs(state.cost, server, end - block, options)
        const known = best.get(end)
        if (known !== undefined && known.cost <= cost) continue
        best.set(end, { cost, hop: { peerId: server.peerId, blocks: { first: block, end } } })
      }
    }
  }
  const route: Hop[] = []
  for (let end = blocks.end; end > blocks.first; end = route[0]!.blocks.first) {
    const state = best.get(end)
    if (state?.hop == null) throw unavailable(blocks, usable, servers.length)
    route.unshift(state.hop)
  }
  return route
}

/** Milliseconds that a route is expected to take. */
export function routeCost(route: readonly Hop[], servers: readonly RouteServer[], options: RouteOptions = {}): number {
  const known = new Map(servers.map(server => [server.peerId, server]))
  return route.reduce(
    (sum, { peerId, blocks }) => sum + hopCost(known.get(peerId)!, blocks.end - blocks.first, options),
    0
  )
}
