// An in-memory store with limits for libp2p's peers, and for records and providers of the DHT.
import { MemoryDatastore } from 'datastore-core'
import { Key, type Pair } from 'interface-datastore'

export interface BoundedStoreInit {
  /** first part of a key -> maximum entries under it; the oldest entry is evicted */
  readonly limits: Readonly<Record<string, number>>
  /** returns keys that are never evicted, such as those of connected peers */
  readonly held?: () => ReadonlySet<string>
}

export class BoundedStore extends MemoryDatastore {
  readonly #limits: readonly (readonly [prefix: string, limit: number])[]
  readonly #held: () => ReadonlySet<string>
  /** keys under each prefix, in the order of their last writing */
  readonly #written: ReadonlyMap<string, Set<string>>

  constructor({ limits, held = () => new Set() }: BoundedStoreInit) {
    super()
    this.#limits = Object.entries(limits)
    this.#held = held
    this.#written = new Map(this.#limits.map(([prefix]) => [prefix, new Set()]))
  }

  /** Entries under a prefix. */
  sizeOf(prefix: string): number {
    return this.#written.get(prefix)?.size ?? 0
  }

  override put(...[key, value, options]: Parameters<MemoryDatastore['put']>): ReturnType<MemoryDatastore['put']> {
    const text = key.toString()
    const rule = this.#limits.find(([prefix]) => text.startsWith(prefix))
    if (rule) {
      const written = this.#written.get(rule[0])!
      written.delete(text)
      written.add(text)
      if (written.size > rule[1]) this.#makeRoom(written)
    }
    return super.put(key, value, options)
  }

  override delete(...[key, options]: Parameters<MemoryDatastore['delete']>): ReturnType<MemoryDatastore['delete']> {
    for (const written of this.#written.values()) written.delete(key.toString())
    return super.delete(key, options)
  }

  /** Of a prefix with a limit only its own entries are looked at. */
  override _all(...[query, options]: Parameters<MemoryDatastore['_all']>): ReturnType<MemoryDatastore['_all']> {
    const { prefix = '' } = query
    const limited = this.#limits.find(([limit]) => prefix.startsWith(limit))
    return limited ? this.#entries(limited[0], prefix) : super._all(query, options)
  }

  *#entries(limit: string, prefix: string): Generator<Pair> {
    for (const text of this.#written.get(limit)!) {
      if (!text.startsWith(prefix)) continue
      const key = new Key(text)
      yield { key, value: super.get(key) as Uint8Array }
    }
  }

  /** Evicts the oldest entry that is not held; if all are held, the oldest. */
  #makeRoom(written: Set<string>): void {
    const held = this.#held()
    let oldest: string | undefined
    for (const key of written) {
      oldest ??= key
      if (held.has(key)) continue
      oldest = key
      break
    }
    if (oldest !== undefined) void this.delete(new Key(oldest))
  }
}
