// Stores outputs of an encoder's blocks by a hash of all that they were computed from: requests with one input get the same bytes. In
// memory of the KV cache that no session needs, or in a part of its own where there is no cache. Knows no request and no device.
import { bytesOf, type Float32Tensor } from '../../common/tensor.ts'
import type { KvCache, Spare } from './kv/kv-cache.ts'

const bytesOfOutput = ({ dtype, shape }: Float32Tensor): number => bytesOf(dtype, shape)

export class OutputStore implements Spare {
  readonly #kvCache: Pick<KvCache, 'roomFor' | 'maxBytes'>
  /** maximum bytes, even if sessions leave more */
  readonly maxBytes: number
  /** most recently used last */
  readonly #outputs = new Map<string, Float32Tensor>()
  #bytes = 0

  constructor({ kvCache }: { kvCache: KvCache }, init: { readonly maxBytes: number }) {
    this.#kvCache = kvCache
    this.maxBytes = init.maxBytes
    if (kvCache.maxBytes > 0) kvCache.addSpare(this)
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#outputs.size
  }

  /** The output of this key, which counts as used now. Its numbers must not be changed. */
  find(key: string): Float32Tensor | undefined {
    const output = this.#outputs.get(key)
    if (output === undefined) return undefined
    this.#outputs.delete(key)
    this.#outputs.set(key, output)
    return output
  }

  /** Stores an output if it fits after evicting the least recently used ones. */
  add(key: string, output: Float32Tensor): void {
    const bytes = bytesOfOutput(output)
    const room = this.#kvCache.maxBytes > 0 ? this.#kvCache.roomFor(this) : this.maxBytes
    const most = Math.min(this.maxBytes, room)
    if (bytes > most || this.#outputs.has(key)) return
    this.evict(this.#bytes + bytes - most)
    this.#outputs.set(key, output)
    this.#bytes += bytes
  }

  evict(bytes: number): void {
    const least = this.#bytes - bytes
    for (const [key, output] of this.#outputs) {
      if (this.#bytes <= least) return
      this.#outputs.delete(key)
      this.#bytes -= bytesOfOutput(output)
    }
  }
}
