// Adapters by the hash of their tensors. Sessions with the same adapter share its memory. An unused adapter stays as long as there is
// room, so that clients need not send it again. The server computes the hash, so no peer can plant another adapter's tensors.
// Knows no session and no device.
import type { Float32Tensor } from '../../common/tensor.ts'
import { parsePort } from '../../model/layers/ports.ts'
import { hashPorts } from '../../model/layers/ports-hash.ts'
import { sharedTensor } from '../../runtime/session.ts'
import type { KvCache, Spare } from './kv/kv-cache.ts'

type Ports = Readonly<Record<string, Float32Tensor>>

/** An adapter's tensors as sessions use them. */
export interface Adapter {
  /** hash of all of them, 32 bytes; of no adapter: empty */
  readonly hash: Uint8Array
  /** all except prefixes, in memory that the device sees, so that no step copies them. One object for each adapter */
  readonly ports: Ports
  /** trained keys and values that come before the sequence; written by the first step */
  readonly prefix: Ports
}

/** Of a session without trained tensors. */
export const noAdapter: Adapter = { hash: new Uint8Array(), ports: {}, prefix: {} }

/** An adapter while a session uses it. */
export interface HeldAdapter extends Adapter {
  readonly bytes: number
  /** whether it is kept afterwards, as far as there is memory */
  readonly isKept: boolean
  /** The session has ended; once. */
  release(): void
}

interface Entry {
  readonly adapter: Adapter
  /** as received */
  readonly given: Ports
  readonly bytes: number
  /** sessions of each peer, and a callback that frees its share of the quota */
  readonly users: Map<string, { count: number; release(): void }>
}

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex')

function adapterOf(hash: Uint8Array, given: Ports): Pick<Entry, 'adapter' | 'given'> {
  const held = Object.entries(given).map(([name, { shape, data }]) => {
    const copy = sharedTensor('float32', shape)
    copy.data.set(data)
    return [name, copy] as const
  })
  const isPrefix = ([name]: readonly [string, Float32Tensor]): boolean => parsePort(name).kind === 'prefix'
  const prefix = Object.fromEntries(held.filter(isPrefix))
  const ports = Object.fromEntries(held.filter(entry => !isPrefix(entry)))
  return { adapter: { hash, ports, prefix }, given: Object.fromEntries(held) }
}

export class AdapterStore implements Spare {
  readonly #kvCache: Pick<KvCache, 'take' | 'roomFor'>
  /** most bytes of adapters that no session uses; 0: none is kept */
  readonly maxBytes: number
  /** most recently used last */
  readonly #entries = new Map<string, Entry>()
  /** of those that no session uses */
  #idleBytes = 0

  constructor({ kvCache }: { kvCache: KvCache }, init: { readonly maxBytes: number }) {
    this.#kvCache = kvCache
    this.maxBytes = init.maxBytes
    kvCache.addSpare(this)
  }

  /** Bytes of adapters that no session uses. */
  get bytes(): number {
    return this.#idleBytes
  }

  /** adapters, used or not */
  get size(): number {
    return this.#entries.size
  }

  /** The tensors of this hash, as they came. */
  find(hash: Uint8Array): Ports | undefined {
    return this.#entries.get(hex(hash))?.given
  }

  /**
   * The adapter for a session of this peer. Its memory counts once for each peer that uses it, like the keys and values of its sessions.
   * @throws SwarmError BUSY where it does not fit now
   */
  hold(ports: Ports, peerId: string): HeldAdapter {
    const hash = this.#hashOf(ports)
    const key = hex(hash)
    const known = this.#entries.get(key)
    const bytes = Object.values(ports).reduce((sum, { data }) => sum + data.byteLength, 0)
    const entry = known ?? { ...adapterOf(hash, ports), bytes, users: new Map() }
    this.#use(key, entry, peerId)
    let isHeld = true
    const release = (): void => {
      if (isHeld) this.#leave(key, entry, peerId)
      isHeld = false
    }
    return { ...entry.adapter, bytes, isKept: bytes <= this.maxBytes, release }
  }

  evict(bytes: number): void {
    const least = this.#idleBytes - bytes
    for (const [key, entry] of this.#entries) {
      if (this.#idleBytes <= least) return
      if (entry.users.size > 0) continue
      this.#entries.delete(key)
      this.#idleBytes -= entry.bytes
    }
  }

  #hashOf(ports: Ports): Uint8Array {
    // what `find` gave need not be hashed again
    for (const { given, adapter } of this.#entries.values()) if (given === ports) return adapter.hash
    return hashPorts(ports)
  }

  #use(key: string, entry: Entry, peerId: string): void {
    const own = entry.users.get(peerId)
    if (own !== undefined) {
      own.count += 1
    } else {
      // its memory is no longer spare, before it counts as used
      const wasIdle = this.#entries.has(key) && entry.users.size === 0
      if (wasIdle) this.#idleBytes -= entry.bytes
      try {
        entry.users.set(peerId, { count: 1, release: this.#kvCache.take(entry.bytes, peerId) })
      } catch (error) {
        if (wasIdle) this.#idleBytes += entry.bytes
        throw error
      }
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  #leave(key: string, entry: Entry, peerId: string): void {
    const own = entry.users.get(peerId)!
    own.count -= 1
    if (own.count > 0) return
    entry.users.delete(peerId)
    own.release()
    if (entry.users.size > 0) return
    if (entry.bytes > Math.min(this.maxBytes, this.#kvCache.roomFor(this))) {
      this.#entries.delete(key)
      return
    }
    this.#idleBytes += entry.bytes
    this.evict(this.#idleBytes - Math.min(this.maxBytes, this.#kvCache.roomFor(this)))
  }
}
