// Leaves out of a large swarm the servers that cannot be on the best route. Pure.
import type { BlockRange } from '../../../common/range.ts'
import { fixedMs, isChained, type RouteOptions, type RouteServer, roomFor, roundTripOf, workMs } from './route-costs.ts'

/** Smaller swarms are searched whole. */
const fewServers = 256
/**
 * Where servers have measured trips to each other one that is worse in everything else may still be the nearest to
 * another: it is dropped when this many others are better.
 */
const enoughBetter = 3
/** Each is compared with this many of the best. */
const mostCompared = 96
/** blocks of a span by which servers are put in order */
const typicalBlocks = 8

interface Traits {
  readonly index: number
  readonly first: number
  readonly end: number
  readonly roundTrip: number
  readonly fixed: number
  readonly perBlock: number
  readonly room: number
  readonly busyUntil: number
  readonly score: number
}

function traitsOf(server: RouteServer, index: number, blocks: BlockRange, options: RouteOptions): Traits {
  const [roundTrip, fixed, perBlock] = [roundTripOf(server), fixedMs(server, options), workMs(server, 1, options)]
  return {
    index,
    first: Math.max(server.blocks.first, blocks.first),
    end: Math.min(server.blocks.end, blocks.end),
    roundTrip,
    fixed,
    perBlock,
    room: roomFor(server, options),
    busyUntil: options.busyUntilMs?.get(server.peerId) ?? 0,
    // a dominating server has no higher score than the dominated one
    score: roundTrip + fixed + typicalBlocks * perBlock
  }
}

function dominates(a: Traits, b: Traits): boolean {
  return (
    a.first <= b.first &&
    a.end >= b.end &&
    a.roundTrip <= b.roundTrip &&
    a.fixed <= b.fixed &&
    a.perBlock <= b.perBlock &&
    a.busyUntil <= b.busyUntil &&
    (a.room >= b.room || a.room >= b.end - b.first)
  )
}

/** Those of the servers that no other beats in everything, in their order; all of a small swarm. */
export function undominated(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions,
  { few = fewServers }: { few?: number } = {}
): readonly RouteServer[] {
  if (servers.length <= few) return servers
  const needed = isChained(options) && servers.some(({ trips }) => trips !== undefined) ? enoughBetter : 1
  const all = servers
    .map((server, index) => traitsOf(server, index, blocks, options))
    .filter(({ first, end }) => first < end)
    .sort((a, b) => a.score - b.score || a.index - b.index)
  const kept: Traits[] = []
  for (const traits of all) {
    let better = 0
    const compared = Math.min(kept.length, mostCompared)
    for (let at = 0; at < compared && better < needed; at++) if (dominates(kept[at]!, traits)) better += 1
    if (better < needed) kept.push(traits)
  }
  return kept.sort((a, b) => a.index - b.index).map(({ index }) => servers[index]!)
}
