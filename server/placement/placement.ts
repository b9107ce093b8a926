// Chooses the blocks where a new server helps most. Pure.
import { SwarmError } from '../../common/errors.ts'
import { type BlockRange, rangeLength } from '../../common/range.ts'

/** What placement needs to know about a present server. */
export interface PlacedServer {
  readonly blocks: BlockRange
  /** tokens per second through one block */
  readonly throughput: number
  /** it loads its blocks, and does not serve yet; default false */
  readonly isJoining?: boolean
}

/** Sum of the servers' throughput for each block. */
export function blockThroughputs(totalBlocks: number, servers: readonly PlacedServer[]): number[] {
  const sums = new Array<number>(totalBlocks).fill(0)
  for (const { blocks, throughput } of servers) {
    for (let block = Math.max(0, blocks.first); block < Math.min(blocks.end, totalBlocks); block++)
      sums[block]! += throughput
  }
  return sums
}

/** Lexicographic order: -1, 0 or 1. */
function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, i) => value !== b[i])
  return index === -1 ? 0 : Math.sign(a[index]! - b[index]!)
}

/** Minimum of each run of `length` values, in one pass. */
function windowMinima(values: readonly number[], length: number): number[] {
  const minima: number[] = []
  /** indexes of values that may become the minimum, values rising */
  const queue: number[] = []
  for (const [index, value] of values.entries()) {
    while (queue.length > 0 && values[queue.at(-1)!]! >= value) queue.pop()
    queue.push(index)
    if (queue[0]! <= index - length) queue.shift()
    if (index >= length - 1) minima.push(values[queue[0]!]!)
  }
  return minima
}

/**
 * The window of `count` blocks whose throughputs, worst block first, are lexicographically smallest (Petals' rule, arXiv 2312.08361
 * section 3.2); among equals the first.
 * @param throughputs sum of the servers' throughput for each block
 */
export function weakestWindow(throughputs: readonly number[], count: number): BlockRange {
  const length = Math.min(count, throughputs.length)
  const minima = windowMinima(throughputs, length)
  const least = minima.reduce((least, minimum) => Math.min(least, minimum), Infinity)
  let best: { first: number; sorted: number[] } | undefined
  for (const [first, minimum] of minima.entries()) {
    if (minimum !== least) continue
    const sorted = throughputs.slice(first, first + length).sort((a, b) => a - b)
    if (best === undefined || compare(sorted, best.sorted) < 0) best = { first, sorted }
  }
  return { first: best!.first, end: best!.first + length }
}

/**
 * Throughputs with this many more servers, each with the mean rate of the present ones and placed where it helps most:
 * the expected state once servers that choose at the same time are visible.
 */
export function withUnseen(
  throughputs: readonly number[],
  servers: readonly PlacedServer[],
  count: number
): readonly number[] {
  if (count < 1 || servers.length === 0) return throughputs
  const mean = (of: (server: PlacedServer) => number): number =>
    servers.reduce((sum, server) => sum + of(server), 0) / servers.length
  const throughput = mean(server => server.throughput)
  const length = Math.max(1, Math.round(mean(({ blocks }) => rangeLength(blocks))))
  const sums = [...throughputs]
  for (let unseen = 1; unseen <= count; unseen++) {
    const { first, end } = weakestWindow(sums, length)
    for (let block = first; block < end; block++) sums[block]! += throughput
  }
  return sums
}

/**
 * The blocks where a new server helps most. Announcements take time: many servers that join at once would see the same
 * gap and all fill it. So each one assumes a random number of unseen servers, up to half of those that it sees joining,
 * unless a block has no server at all.
 * @param random as `Math.random`
 */
export function chooseWindow(
  totalBlocks: number,
  count: number,
  servers: readonly PlacedServer[],
  random: () => number
): BlockRange {
  const sums = blockThroughputs(totalBlocks, servers)
  const joining = servers.filter(({ isJoining }) => isJoining).length
  const unseen = Math.floor(random() * (Math.floor(joining / 2) + 1))
  return weakestWindow(sums.includes(0) ? sums : withUnseen(sums, servers, unseen), count)
}

/** @throws SwarmError INVALID_ARGUMENT for a range that is empty, reversed or outside the model */
export function checkRange(range: BlockRange, totalBlocks: number): BlockRange {
  const { first, end } = range
  const fault =
    first > end ? 'reversed' : first === end ? 'empty' : end > totalBlocks || first < 0 ? 'outside the model' : null
  if (fault !== null || !Number.isInteger(first) || !Number.isInteger(end)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `blocks ${first}-${end}: the range is ${fault ?? 'not of whole numbers'}; the model has ${totalBlocks} blocks, so 0-${totalBlocks} is all of it (the end is not included)`
    )
  }
  return range
}
