// What asking a server costs, in milliseconds. Pure. Constants grew out of those of Petals (arXiv 2312.08361, section 3.2, and
// its public code).
import type { BlockRange } from '../../../common/range.ts'
import { second } from '../../../common/units.ts'

/** What routing knows of a server. Rates as in its announcement: blocks per second, for a decode step and for each token of a forward pass. */
export interface RouteServer {
  readonly peerId: string
  readonly blocks: BlockRange
  /** measured round trip; undefined where it is not known yet */
  readonly roundTripMs?: number
  readonly decodeRate: number
  readonly forwardRate: number
  readonly cacheBytesFree: number
  /** how long decode steps, and forward and backward requests, wait for their turn; default 0 */
  readonly queueMs?: number
  readonly trainingQueueMs?: number
  /** how many times longer than announced its work took lately; default 1 */
  readonly slowness?: number
  /** milliseconds that its requests took lately beyond what it announces, where that was many times more; default 0 */
  readonly lateMs?: number
  /** round trips to servers after it, as it measured them */
  readonly trips?: ReadonlyMap<string, number>
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
  /**
   * servers forward to each other, each at most once in a route; otherwise activations return after each hop. Default:
   * in mode 'latency'
   */
  readonly chained?: boolean
  /** peers that must not be asked */
  readonly excluded?: ReadonlySet<string>
  /** bytes of KV cache that a session needs for each block; default 0 */
  readonly cacheBytesPerBlock?: number
  /** tokens of a forward pass in mode 'throughput'; default 1024 */
  readonly tokens?: number
  /** milliseconds for which a server is busy with other work of this client; an earlier request waits */
  readonly busyUntilMs?: ReadonlyMap<string, number>
}

/** Assumed round trip, in ms, if none was measured. */
const unknownRoundTripMs = 150
/** Maximum round trip, in ms, that counts. */
export const maxRoundTripMs = 5 * second
/** What a hop costs beside the network and the blocks: framing, feeding. */
const hopMs = 18
/** Penalty of a server with too little free KV cache: it is used only if there is no other. */
export const cacheShortageMs = 10 * second
/** Rate that is assumed of a server that announces none. */
const unknownRate = 50
const defaultTokens = 1024

/** Milliseconds for which computing `length` blocks keeps a server busy. */
export function workMs(server: RouteServer, length: number, options: RouteOptions = {}): number {
  const { mode = 'latency', tokens = defaultTokens } = options
  const rate = (mode === 'latency' ? server.decodeRate : server.forwardRate) || unknownRate
  return ((server.slowness ?? 1) * (mode === 'latency' ? 1 : tokens) * length * second) / rate
}

/** From us to a server and back. */
export function roundTripOf({ roundTripMs = unknownRoundTripMs }: RouteServer): number {
  return Math.min(roundTripMs, maxRoundTripMs)
}

/** Fixed cost of a hop, without its network time. */
export function fixedMs(
  { queueMs = 0, trainingQueueMs = 0, lateMs = 0 }: RouteServer,
  { mode = 'latency' }: RouteOptions
): number {
  return hopMs + (mode === 'latency' ? queueMs : trainingQueueMs) + lateMs
}

/**
 * One-way time from a server to the next. If it was not measured, it lies between half of the difference and half of
 * the sum of their round trips to us; the quarter of the sum is taken.
 */
function tripMs(from: RouteServer, to: RouteServer): number {
  const measured = from.trips?.get(to.peerId)
  return measured === undefined ? (roundTripOf(from) + roundTripOf(to)) / 4 : measuredTripMs(measured)
}

/** One-way time between two servers, from the round trip that one of them measured. */
export function measuredTripMs(roundTripMs: number): number {
  return Math.min(roundTripMs, maxRoundTripMs) / 2
}

/** Most blocks of a session for which the server has room. */
export function roomFor(server: RouteServer, { cacheBytesPerBlock = 0 }: RouteOptions): number {
  return cacheBytesPerBlock === 0 ? Infinity : Math.floor(server.cacheBytesFree / cacheBytesPerBlock)
}

/**
 * Milliseconds that a server needs for `length` blocks, including its queue and the penalty of a full cache, without
 * network.
 */
function serverMs(server: RouteServer, length: number, options: RouteOptions): number {
  const shortage = length > roomFor(server, options) ? cacheShortageMs : 0
  return fixedMs(server, options) + workMs(server, length, options) + shortage
}

/** Milliseconds of a hop with `length` blocks if activations return to the client after it. */
export function hopCost(server: RouteServer, length: number, options: RouteOptions = {}): number {
  return roundTripOf(server) + serverMs(server, length, options)
}

/** Start time at the server of a request that is sent at `atMs`, and arrival time of the answer. */
export function visitMs(
  atMs: number,
  server: RouteServer,
  length: number,
  options: RouteOptions
): { readonly begins: number; readonly back: number } {
  const half = roundTripOf(server) / 2
  const begins = Math.max(atMs + half, options.busyUntilMs?.get(server.peerId) ?? 0)
  return { begins, back: begins + serverMs(server, length, options) + half }
}

export function isChained({ mode = 'latency', chained = mode === 'latency' }: RouteOptions): boolean {
  return chained
}

/** Expected milliseconds of a route. */
export function routeCost(route: readonly Hop[], servers: readonly RouteServer[], options: RouteOptions = {}): number {
  const known = new Map(servers.map(server => [server.peerId, server]))
  let [at, previous] = [0, undefined as RouteServer | undefined]
  for (const { peerId, blocks } of route) {
    const server = known.get(peerId)!
    const half = roundTripOf(server) / 2
    if (previous === undefined) at += half
    else at += isChained(options) ? tripMs(previous, server) : roundTripOf(previous) / 2 + half
    at = Math.max(at, options.busyUntilMs?.get(peerId) ?? 0) + serverMs(server, blocks.end - blocks.first, options)
    previous = server
  }
  return previous === undefined ? 0 : at + roundTripOf(previous) / 2
}
