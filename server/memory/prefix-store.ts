// Stores prefixes: keys, values and outputs of blocks of 64 positions, by a hash of all that they were computed from.
// In memory of the KV cache that no session needs. Knows no session and no device.
import { type BlockRange, rangeLength } from '../../common/range.ts'
import type { KvCache, Spare } from './kv/kv-cache.ts'
import { type CacheRow, cacheParts, type HeadShape, positionStep } from './kv/slab.ts'

/** Positions of a block. */
export const prefixPositions = positionStep

/** 64 positions of one sequence; its key also covers the blocks before it. */
export interface PrefixBlock {
  readonly key: string
  /** key of the block before; of a first one of none that is here */
  readonly parent: string
  /** keys and values, [blocks, key and value, kvHeads, 64, headDim] */
  readonly states: Float32Array
  /** outputs of the last block, [64, hidden] */
  readonly hidden: Float32Array
}

const bytesOfBlock = ({ states, hidden }: PrefixBlock): number => states.byteLength + hidden.byteLength

/** Calls back for each run of numbers of a row's keys and values at positions `start` to `start + 63`. */
function forEachRun(row: CacheRow, start: number, visit: (run: Float32Array, at: number) => void): void {
  const { slab, slot, blocks } = row
  const { kvHeads, headDim } = slab.heads
  const size = prefixPositions * headDim
  let at = 0
  for (let block = blocks.first; block < blocks.end; block++) {
    for (const part of cacheParts) {
      const { data } = slab.view(block, part, slot, slot + 1)
      for (let head = 0; head < kvHeads; head++) {
        const from = (head * slab.capacity + start) * headDim
        visit(data.subarray(from, from + size), at)
        at += size
      }
    }
  }
}

/** Keys and values of a row at positions `start` to `start + 63`. */
export function readStates(row: CacheRow, start: number): Float32Array {
  const states = new Float32Array(numbersOf(row.slab.heads, row.blocks))
  forEachRun(row, start, (run, at) => states.set(run, at))
  return states
}

/** The opposite; the row has room. Between runs of the device only. */
export function writeStates(row: CacheRow, start: number, states: Float32Array): void {
  forEachRun(row, start, (run, at) => run.set(states.subarray(at, at + run.length)))
}

function numbersOf({ kvHeads, headDim }: HeadShape, blocks: BlockRange): number {
  return rangeLength(blocks) * cacheParts.length * kvHeads * prefixPositions * headDim
}

export class PrefixStore implements Spare {
  readonly #kvCache: Pick<KvCache, 'roomFor'>
  /** maximum bytes, even if sessions leave more */
  readonly maxBytes: number
  /** most recently used last */
  readonly #blocks = new Map<string, PrefixBlock>()
  #bytes = 0

  constructor({ kvCache }: { kvCache: KvCache }, init: { readonly maxBytes: number }) {
    this.#kvCache = kvCache
    this.maxBytes = init.maxBytes
    kvCache.addSpare(this)
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#blocks.size
  }

  /** The block of this key, which counts as used now. */
  find(key: string): PrefixBlock | undefined {
    const block = this.#blocks.get(key)
    if (block !== undefined) this.#use(block)
    return block
  }

  /** Stores a block if it fits after evicting the least recently used ones. */
  add(block: PrefixBlock): void {
    const bytes = bytesOfBlock(block)
    const most = Math.min(this.maxBytes, this.#kvCache.roomFor(this))
    if (bytes > most || this.#blocks.has(block.key)) return
    // the predecessors of the block are evicted last
    this.#use(block)
    this.evict(this.#bytes + bytes - most)
    this.#blocks.set(block.key, block)
    this.#bytes += bytes
    this.#use(block)
  }

  evict(bytes: number): void {
    const least = this.#bytes - bytes
    for (const [key, block] of this.#blocks) {
      if (this.#bytes <= least) return
      this.#blocks.delete(key)
      this.#bytes -= bytesOfBlock(block)
    }
  }

  /** A block is useless without its predecessors, so they are evicted after it. */
  #use({ key, parent }: PrefixBlock): void {
    for (const each of [key, ...this.#ancestors(parent)]) {
      const block = this.#blocks.get(each)
      if (block === undefined) continue
      this.#blocks.delete(each)
      this.#blocks.set(each, block)
    }
  }

  *#ancestors(key: string): Iterable<string> {
    for (let at = this.#blocks.get(key); at !== undefined; at = this.#blocks.get(at.parent)) yield at.key
  }
}
