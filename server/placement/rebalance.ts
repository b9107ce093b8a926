// Decides whether a server should move to blocks that the swarm needs more. Pure: data in, data out.
import { type BlockRange, rangeLength } from '../../common/range.ts'
import { minute } from '../../common/units.ts'
import { blockThroughputs, type PlacedServer, weakestWindow, withUnseen } from './placement.ts'

/** Servers move if the weakest block has less than this share of its attainable throughput. */
export const minQuality = 0.85
/**
 * A server stays this long after a move, unless a block has no server at all, because its view of the swarm is never
 * fully current.
 */
export const leastStayMs = 10 * minute
/** The left blocks must exceed the new ones by this share of the server's rate; less is not worth a move. */
const leastGain = 0.5

export interface Move {
  readonly blocks: BlockRange
  /** throughput of the weakest block as a share of the attainable one */
  readonly quality: number
  /** probability of the move, so that the expected number of movers matches the number needed */
  readonly probability: number
}

export interface RebalanceInput {
  readonly own: PlacedServer
  readonly others: readonly PlacedServer[]
  readonly totalBlocks: number
  /** since this server moved last; default: never */
  readonly stayedMs?: number
  /** `attainable` of all these servers, if already computed */
  readonly attainable?: number
  /** as `Math.random` */
  readonly random: () => number
}

const minimum = (values: readonly number[], { first, end }: BlockRange): number => {
  let least = Infinity
  for (let block = first; block < end; block++) least = Math.min(least, values[block]!)
  return least
}

/**
 * Throughput of the weakest block if all servers chose again, the strongest first. At most the optimum, and close to it
 * in swarms of a dozen servers or more.
 */
export function attainable(totalBlocks: number, servers: readonly PlacedServer[]): number {
  const sums = new Array<number>(totalBlocks).fill(0)
  for (const { blocks, throughput } of servers.toSorted((a, b) => b.throughput - a.throughput)) {
    const window = weakestWindow(sums, rangeLength(blocks))
    for (let block = window.first; block < window.end; block++) sums[block]! += throughput
  }
  return minimum(sums, { first: 0, end: totalBlocks })
}

/** Minimum throughput of the blocks in `range` that are not in `other`; Infinity if there are none. */
function leastOutside(sums: readonly number[], range: BlockRange, other: BlockRange): number {
  const before = { first: range.first, end: Math.min(range.end, Math.max(range.first, other.first)) }
  const after = { first: Math.max(range.first, Math.min(range.end, other.end)), end: range.end }
  return Math.min(minimum(sums, before), minimum(sums, after))
}

/**
 * The move that this server should consider; null if the swarm is well balanced, if the move gains nothing, or if it
 * would leave blocks without a server.
 */
export function planMove({
  own,
  others,
  totalBlocks,
  stayedMs = Infinity,
  random,
  ...known
}: RebalanceInput): Move | null {
  const without = blockThroughputs(totalBlocks, others)
  const { first, end } = own.blocks
  const now = without.map((sum, block) => (first <= block && block < end ? sum + own.throughput : sum))
  const weakest = minimum(now, { first: 0, end: totalBlocks })
  const best = known.attainable ?? attainable(totalBlocks, [...others, own])
  if (weakest >= minQuality * best || (weakest > 0 && stayedMs < leastStayMs)) return null
  // other servers see the same and could also move
  const missing = now.reduce((sum, throughput) => sum + Math.max(0, best - throughput), 0)
  const needed = Math.max(1, missing / (own.throughput * rangeLength(own.blocks)))
  // not all of them to the same blocks
  const meanWork = without.reduce((sum, throughput) => sum + throughput, 0) / others.length
  const blocks = weakestWindow(withUnseen(without, others, Math.floor((random() * missing) / meanWork)), end - first)
  const left = leastOutside(without, own.blocks, blocks)
  const found = leastOutside(without, blocks, own.blocks)
  if (left === Infinity || left === 0) return null
  if (left - found < leastGain * own.throughput) return null
  const able = others.filter(({ blocks, throughput }) => minimum(now, blocks) - throughput > found).length + 1
  // recent moves of other servers are not visible yet: half as many at first, unless a block has no server
  const share = weakest === 0 ? 1 : 0.5
  return { blocks, quality: best === 0 ? 0 : weakest / best, probability: Math.min(1, (share * needed) / able) }
}
