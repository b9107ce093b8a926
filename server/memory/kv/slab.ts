// Stores keys and values of a few rows side by side, so that neighbouring rows form one tensor without a copy. Buffers
// are as long as a row may ever get, but take memory only where something was written. Knows no session and no budget.
import type { BlockRange } from '../../../common/range.ts'
import { rowsOf } from '../../../common/rows.ts'
import { bytesOf, type Float32Tensor, type Tensor } from '../../../common/tensor.ts'
import { GiB } from '../../../common/units.ts'
import { reservedTensor, sharedTensor } from '../../../runtime/session.ts'

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

/** positions of an encoder that fewer share: each step reads all of them, and sessions of one number are computed in one run */
const smallestSource = 256

/** Positions of the buffers for keys and values of `source` positions of an encoder; 0 where there are none. */
export function sourceCapacityFor(source: number): number {
  if (source === 0) return 0
  let capacity = smallestSource
  while (capacity < source) capacity *= 2
  return capacity
}

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
  /** positions of the encoder that it attends to; 0: none */
  readonly source: number
  /** which of the session's inputs these are of */
  input: number
  /** hash of the inputs of its first positions, if known (server/compute/prefix-reuse.ts) */
  hashed: { readonly length: number; readonly key: string } | null
}

function wholeSteps({ maxLength }: CacheRow, length: number): number {
  return Math.min(maxLength, Math.ceil(length / positionStep) * positionStep)
}

/** Positions of an encoder as their memory is counted. */
export function wholeSource(source: number): number {
  return Math.ceil(source / positionStep) * positionStep
}

type Buffers = Map<number, Readonly<Record<CachePart, Float32Tensor>>>

/** Keys and values of every block. */
function* partsOf({ first, end }: BlockRange): Iterable<readonly [block: number, part: CachePart]> {
  for (let block = first; block < end; block++) for (const part of cacheParts) yield [block, part]
}

export class Slab {
  readonly capacity: number
  readonly slots: number
  /** who has each slot */
  readonly rows: (CacheRow | null)[]
  readonly heads: HeadShape
  /** positions of an encoder that each row has room for; 0: its rows attend to none */
  readonly sourceCapacity: number
  readonly #buffers: Buffers = new Map()
  /** keys and values of the encoder's states */
  readonly #cross: Buffers = new Map()
  #crossMask: Tensor<'int64'> | undefined
  /** for each slot, positions of each block that have memory: those of the sequence and of the encoder together */
  readonly #held: Map<number, number>[]
  readonly #heldSource: Map<number, number>[]

  constructor(heads: HeadShape, capacity: number, sourceCapacity = 0) {
    this.heads = heads
    this.capacity = capacity
    this.sourceCapacity = sourceCapacity
    const rowBytes = bytesOf('float32', [heads.kvHeads, Math.max(capacity, sourceCapacity), heads.headDim])
    this.slots = Math.max(1, Math.min(maxSlots, Math.floor(maxBufferBytes / rowBytes)))
    this.#held = Array.from({ length: this.slots }, () => new Map())
    this.#heldSource = Array.from({ length: this.slots }, () => new Map())
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
    const [positions, source] = [wholeSteps(row, length), wholeSource(row.source)]
    let missing = 0
    for (let block = blocks.first; block < blocks.end; block++) {
      missing += Math.max(0, positions - (this.#held[slot]!.get(block) ?? 0))
      missing += Math.max(0, source - (this.#heldSource[slot]!.get(block) ?? 0))
    }
    return cacheBytes(this.heads, 1, missing)
  }

  /** Counts them as held from now on. */
  hold(row: CacheRow, length: number): void {
    const { slot, blocks } = row
    const [positions, source] = [wholeSteps(row, length), wholeSource(row.source)]
    const [held, heldSource] = [this.#held[slot]!, this.#heldSource[slot]!]
    for (let block = blocks.first; block < blocks.end; block++) {
      held.set(block, Math.max(positions, held.get(block) ?? 0))
      if (source > 0) heldSource.set(block, Math.max(source, heldSource.get(block) ?? 0))
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
    return rowsOf(this.#of(this.#buffers, block, this.capacity)[part], first, end)
  }

  /** The same of the encoder's states, [end - first, kvHeads, sourceCapacity, headDim]. */
  crossView(block: number, part: CachePart, first: number, end: number): Float32Tensor {
    return rowsOf(this.#of(this.#cross, block, this.sourceCapacity)[part], first, end)
  }

  /** Which of them are tokens, int64 [end - first, sourceCapacity]. */
  crossMask(first: number, end: number): Tensor<'int64'> {
    this.#crossMask ??= sharedTensor('int64', [this.slots, this.sourceCapacity])
    return rowsOf(this.#crossMask, first, end)
  }

  /** Copies a row's sequence to another slot, of this slab or another. */
  copy({ slot, blocks, length }: CacheRow, to: { readonly slab: Slab; readonly slot: number }): void {
    for (const [block, part] of partsOf(blocks)) {
      this.#copyPart(this.view(block, part, slot, slot + 1), to.slab.view(block, part, to.slot, to.slot + 1), length)
    }
  }

  /** Copies what a row attends to of an encoder to another slot, of this slab or another. */
  copyCross({ slot, blocks, source }: CacheRow, to: { readonly slab: Slab; readonly slot: number }): void {
    if (source === 0) return
    const target = to.slab.crossMask(to.slot, to.slot + 1).data
    target.fill(0n)
    target.set(this.crossMask(slot, slot + 1).data.subarray(0, source))
    for (const [block, part] of partsOf(blocks)) {
      const [from, into] = [
        this.crossView(block, part, slot, slot + 1),
        to.slab.crossView(block, part, to.slot, to.slot + 1)
      ]
      this.#copyPart(from, into, source)
    }
  }

  /** The first `positions` of one row, [1, kvHeads, capacity, headDim] each, whose capacities may differ. */
  #copyPart(source: Float32Tensor, target: Float32Tensor, positions: number): void {
    const { kvHeads, headDim } = this.heads
    for (let head = 0; head < kvHeads; head++) {
      const from = head * source.shape[2]! * headDim
      const run = source.data.subarray(from, from + positions * headDim)
      target.data.set(run, head * target.shape[2]! * headDim)
    }
  }

  #bytesOf(slot: number): number {
    const held = [...this.#held[slot]!.values(), ...this.#heldSource[slot]!.values()]
    return cacheBytes(
      this.heads,
      1,
      held.reduce((sum, positions) => sum + positions, 0)
    )
  }

  #of(buffers: Buffers, block: number, capacity: number): Readonly<Record<CachePart, Float32Tensor>> {
    let own = buffers.get(block)
    if (own === undefined) {
      const shape = [this.slots, this.heads.kvHeads, capacity, this.heads.headDim]
      own = { key: reservedTensor('float32', shape), value: reservedTensor('float32', shape) }
      buffers.set(block, own)
    }
    return own
  }
}
