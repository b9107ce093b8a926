// Keys and values of the sessions, under one byte budget. A session reserves for its longest row when it opens, so that it can
// never fail half way for want of memory; the memory itself is taken as it grows. Knows shapes, not attention.
import { SwarmError } from '../common/errors.ts'
import { type BlockRange, rangeLength } from '../common/range.ts'
import { bytesOf, type Tensor } from '../common/tensor.ts'
import { formatBytes } from '../common/units.ts'
import { sharedTensor } from '../runtime/session.ts'

export interface CacheShape {
  readonly blocks: BlockRange
  readonly batch: number
  readonly kvHeads: number
  readonly headDim: number
  /** most positions of a row */
  readonly maxLength: number
}

type Buffers = readonly { readonly key: Tensor<'float32'>; readonly value: Tensor<'float32'> }[]

/** positions of a first buffer: a short session takes no more */
const firstCapacity = 128

/** One session's keys and values: for each block a pair [batch, kvHeads, capacity, headDim] in shared memory. */
export class SessionCache {
  readonly shape: CacheShape
  /** positions that are filled, row by row */
  readonly lengths: number[]
  #capacity = 0
  #buffers: Buffers = []

  constructor(shape: CacheShape) {
    this.shape = shape
    this.lengths = new Array<number>(shape.batch).fill(0)
  }

  /** positions that the buffers have room for */
  get capacity(): number {
    return this.#capacity
  }

  /** bytes that the buffers take now */
  get bytes(): number {
    return this.#buffers.reduce((sum, { key, value }) => sum + key.data.byteLength + value.data.byteLength, 0)
  }

  /** Key and value buffers of a block, by its absolute number. */
  of(block: number): Buffers[number] {
    return this.#buffers[block - this.shape.blocks.first]!
  }

  /** Makes room for rows of `length` positions: doubles, at most to the session's longest row. */
  grow(length: number): void {
    if (length <= this.#capacity) return
    const { batch, kvHeads, headDim, maxLength, blocks } = this.shape
    let capacity = Math.max(this.#capacity, firstCapacity)
    while (capacity < length) capacity *= 2
    capacity = Math.min(capacity, maxLength)
    const shape = [batch, kvHeads, capacity, headDim]
    const wider = (old: Tensor<'float32'> | undefined): Tensor<'float32'> => {
      const fresh = sharedTensor('float32', shape)
      if (old === undefined) return fresh
      const [from, to] = [this.#capacity * headDim, capacity * headDim]
      for (let row = 0; row < batch * kvHeads; row++) {
        fresh.data.set(old.data.subarray(row * from, (row + 1) * from), row * to)
      }
      return fresh
    }
    this.#buffers = Array.from({ length: rangeLength(blocks) }, (_, index) => ({
      key: wider(this.#buffers[index]?.key),
      value: wider(this.#buffers[index]?.value)
    }))
    this.#capacity = capacity
  }
}

/** Bytes of a session's keys and values when its rows have their greatest length. */
export function cacheBytes({ blocks, batch, kvHeads, headDim, maxLength }: CacheShape): number {
  return 2 * rangeLength(blocks) * bytesOf('float32', [batch, kvHeads, maxLength, headDim])
}

export interface Reservation {
  readonly cache: SessionCache
  /** what it counts in the budget */
  readonly bytes: number
  /** Gives the bytes back, once. */
  release(): void
}

export class KvCache {
  readonly maxBytes: number
  #reserved = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get bytesReserved(): number {
    return this.#reserved
  }

  get bytesFree(): number {
    return this.maxBytes - this.#reserved
  }

  /**
   * Reserves for a session.
   * @param portBytes of adapter tensors that the session holds: memory of the session like its keys and values
   * @throws SwarmError BUSY saying what is needed and what is free
   */
  reserve(shape: CacheShape, portBytes = 0): Reservation {
    const bytes = cacheBytes(shape) + portBytes
    if (bytes > this.bytesFree) {
      throw new SwarmError(
        'BUSY',
        `KV cache: a session of ${shape.batch} x ${shape.maxLength} positions needs ${formatBytes(bytes)}, ` +
          `${formatBytes(this.bytesFree)} of ${formatBytes(this.maxBytes)} are free (ask for a shorter session, try again later, or another server)`
      )
    }
    this.#reserved += bytes
    let held = true
    return {
      cache: new SessionCache(shape),
      bytes,
      release: () => {
        if (held) this.#reserved -= bytes
        held = false
      }
    }
  }
}
