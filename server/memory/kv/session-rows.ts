// The rows of one session in the KV cache, and the bytes they hold. Requests memory from the cache.
import { type BlockRange, rangeLength } from '../../../common/range.ts'
import { type CacheRow, cacheBytes, type HeadShape, positionStep, wholeSource } from './slab.ts'

export interface CacheShape extends HeadShape {
  readonly blocks: BlockRange
  readonly batch: number
  /** most positions of a row */
  readonly maxLength: number
  /** bytes that the session keeps beside keys and values for each position of a row; default 0 */
  readonly besideBytes?: number
  /** positions of the encoder that every row attends to; default 0: none */
  readonly source?: number
  /** different inputs of the encoder, each that of `batch / inputs` rows one after the other; default 1 */
  readonly inputs?: number
  /** numbers for each token that factors of weights make, see `RequestWork`; default none */
  readonly factors?: { readonly most: number; readonly all: number }
}

/** Which input row `row` attends to. */
export function inputOf({ batch, inputs = 1 }: Pick<CacheShape, 'batch' | 'inputs'>, row: number): number {
  return Math.floor((row * inputs) / batch)
}

/** The rows of one session. */
export interface SessionCache {
  readonly shape: CacheShape
  readonly rows: readonly CacheRow[]
  /** Makes room for rows of these lengths. Throws BUSY if no memory becomes free in time, and the signal's reason. */
  reserve(lengths: readonly number[], signal?: AbortSignal): Promise<void>
  /** Row i continues the content of row `parents[i]`, for every row. Between runs of the device only. */
  reorder(parents: readonly number[]): void
  /** Gives the memory back, once. */
  release(): void
}

/** The cache that rows get their memory from. */
interface RowMemory {
  grow(session: SessionRows, lengths: readonly number[], signal?: AbortSignal): Promise<void>
  hold(row: CacheRow, length: number): void
  leave(session: SessionRows): void
}

export class SessionRows implements SessionCache {
  readonly shape: CacheShape
  readonly portBytes: number
  readonly peerId: string
  /** bytes that count towards the peer's quota */
  heldBytes: number
  readonly #cache: RowMemory
  /** held beside keys and values */
  besideBytes = 0
  #rows: CacheRow[]
  #released = false

  constructor(cache: RowMemory, shape: CacheShape, rows: CacheRow[], portBytes: number, peerId: string) {
    this.#cache = cache
    this.shape = shape
    this.#rows = rows
    this.portBytes = portBytes
    this.peerId = peerId
    this.heldBytes = portBytes
  }

  /** Bytes of rows of these lengths, with everything else of the session. */
  bytesAt(lengths: readonly number[]): number {
    const { blocks, maxLength, besideBytes = 0, source = 0 } = this.shape
    const positions = lengths.map(
      length => Math.min(maxLength, Math.ceil(length / positionStep) * positionStep) + wholeSource(source)
    )
    const cached = cacheBytes(this.shape, rangeLength(blocks), 1) * positions.reduce((sum, each) => sum + each, 0)
    return this.portBytes + cached + besideBytes * lengths.reduce((sum, length) => sum + length, 0)
  }

  get rows(): readonly CacheRow[] {
    return this.#rows
  }

  /** Bytes beyond keys and values that rows of these lengths need and the session does not hold yet. */
  missingBeside(lengths: readonly number[]): number {
    const { besideBytes = 0 } = this.shape
    return Math.max(0, lengths.reduce((sum, length) => sum + length, 0) * besideBytes - this.besideBytes)
  }

  async reserve(lengths: readonly number[], signal?: AbortSignal): Promise<void> {
    await this.#cache.grow(this, lengths, signal)
  }

  reorder(parents: readonly number[]): void {
    const old = this.#rows
    /** rows without a continuation: their slots are free for copies */
    const spare = old.filter((_, row) => !parents.includes(row))
    const moved = new Set<number>()
    this.#rows = parents.map(parent => {
      const source = old[parent]!
      if (!moved.has(parent)) {
        moved.add(parent)
        return source
      }
      const target = spare.shift()!
      this.#cache.hold(target, source.length)
      source.slab.copy(source, target)
      if (target.input !== source.input) source.slab.copyCross(source, target)
      target.input = source.input
      target.length = source.length
      target.hashed = source.hashed
      return target
    })
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#cache.leave(this)
  }
}
