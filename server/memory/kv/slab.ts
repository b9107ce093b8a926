// Stores keys and values of a few rows side by side, so that neighbouring rows form one tensor without a copy. Buffers
// are as long as a row may ever get, but take memory only where something was written. Knows no session and no budget.
import type { BlockRange } from '../../../common/range.ts'
import { bytesOf, type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { GiB } from '../../../common/units.ts'
import { reservedTensor } from '../../../runtime/session.ts'

export const cacheParts = ['key', 'value'] as const
export type CachePart = (typeof cacheParts)[number]

/** Sizes of the keys of one position in one block; values have the same. */
export interface HeadShape {
  readonly kvHeads: number
  readonly headDim: number
}

/** rows that one run computes at most */
const maxSlots = 16
/** maximum address space of a buffer for several rows */
const maxBufferBytes = 1 * GiB
/** memory is counted in steps of this many positions, because writes take whole pages */
export const positionStep = 64
/** shorter rows share buffers of this many positions */
const smallestCapacity = 1024

/** Positions of the buffers for rows of `maxLength`: one is spare, for the rubbish of a row that only keeps its place in a run. */
export function capacityFor(maxLength: number): number {
  let capacity = smallestCapacity
  while (capacity < maxLength + 1) capacity *= 2
  return capacity
}

/** Bytes of keys and values for a number of positions of one row. */
export function cacheBytes({ kvHeads, headDim }: HeadShape, blocks: number, positions: number): number {
  return 2 * blocks * bytesOf('float32', [kvHeads, positions, headDim])
}

/** One row of a session: the place of its keys and values, and its number of filled positions. */
export interface CacheRow {
  readonly blocks: BlockRange
  /** positions that it may get at most */
  readonly maxLength: number
  slab: Slab
  slot: number
  length: number
  /** hash of the inputs of its first positions, if known (server/compute/prefix-reuse.ts) */
  hashed: { readonly length: number; readonly key: string } | null
}

function wholeSteps({ maxLength }: CacheRow, length: number): number {
  return Math.min(maxLength, Math.ceil(length / positionStep) * positionStep)
}

export class Slab {
  readonly capacity: number
  readonly slots: number
  /** who has each slot */
  readonly rows: (CacheRow | null)[]
  readonly heads: HeadShape
  readonly #buffers = new Map<number, Readonly<Record<CachePart, Float32Tensor>>>()
  /** for each slot, positions of each block that have memory */
  readonly #held: Map<number, number>[]

  constructor(heads: HeadShape, capacity: number) {
    this.heads = heads
    this.capacity = capacity
    const rowBytes = bytesOf('float32', [heads.kvHeads, capacity, heads.headDim])
    this.slots = Math.max(1, Math.min(maxSlots, Math.floor(maxBufferBytes / rowBytes)))
    this.#held = Array.from({ length: this.slots }, () => new Map())
    this.rows = new Array<CacheRow | null>(this.slots).fill(null)
  }

  get isEmpty(): boolean {
    return this.rows.every(row => row === null)
  }

  get freeSlots(): number {
    return this.rows.filter(row => row === null).length
  }

  /** The first `count` neighbouring free slots; null if there are none. */
  findSlots(count: number): number | null {
    for (let first = 0; first + count <= this.slots; first++) {
      if (this.rows.slice(first, first + count).every(row => row === null)) return first
    }
    return null
  }

  /** Additional bytes of a row with this length, beyond those its slot already holds. */
  missing(row: CacheRow, length: number): number {
    const { slot, blocks } = row
    const positions = wholeSteps(row, length)
    let bytes = 0
    for (let block = blocks.first; block < blocks.end; block++) {
      bytes += cacheBytes(this.heads, 1, Math.max(0, positions - (this.#held[slot]!.get(block) ?? 0)))
    }
    return bytes
  }

  /** Counts them as held from now on. */
  hold(row: CacheRow, length: number): void {
    const { slot, blocks } = row
    const positions = wholeSteps(row, length)
    const held = this.#held[slot]!
    for (let block = blocks.first; block < blocks.end; block++) {
      held.set(block, Math.max(positions, held.get(block) ?? 0))
    }
  }

  /** bytes held, free slots included: their memory is released with the slab */
  get bytes(): number {
    return this.#held.reduce((sum, _, slot) => sum + this.#bytesOf(slot), 0)
  }

  /** bytes held by free slots */
  get idleBytes(): number {
    return this.#held.reduce((sum, _, slot) => sum + (this.rows[slot] === null ? this.#bytesOf(slot) : 0), 0)
  }

  /** Keys or values of a block, [end - first, kvHeads, capacity, headDim] of the slots `first` to `end - 1`. */
  view(block: number, part: CachePart, first: number, end: number): Float32Tensor {
    const { kvHeads, headDim } = this.heads
    const size = kvHeads * this.capacity * headDim
    const { data } = this.#of(block)[part]
    return tensor('float32', [end - first, kvHeads, this.capacity, headDim], data.subarray(first * size, end * size))
  }

  /** Copies a row to another slot, of this slab or another. */
  copy({ slot, blocks, length }: CacheRow, to: { readonly slab: Slab; readonly slot: number }): void {
    const { kvHeads, headDim } = this.heads
    for (let block = blocks.first; block < blocks.end; block++) {
      for (const part of cacheParts) {
        const source = this.view(block, part, slot, slot + 1).data
        const target = to.slab.view(block, part, to.slot, to.slot + 1).data
        for (let head = 0; head < kvHeads; head++) {
          const from = head * this.capacity * headDim
          target.set(source.subarray(from, from + length * headDim), head * to.slab.capacity * headDim)
        }
      }
    }
  }

  #bytesOf(slot: number): number {
    return [...this.#held[slot]!.values()].reduce((sum, positions) => sum + cacheBytes(this.heads, 1, positions), 0)
  }

  #of(block: number): Readonly<Record<CachePart, Float32Tensor>> {
    let buffers = this.#buffers.get(block)
    if (buffers === undefined) {
      const shape = [this.slots, this.heads.kvHeads, this.capacity, this.heads.headDim]
      buffers = { key: reservedTensor('float32', shape), value: reservedTensor('float32', shape) }
      this.#buffers.set(block, buffers)
    }
    return buffers
  }
}
