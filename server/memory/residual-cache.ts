// Activations kept between a forward request and its backward, bounded in bytes and in time; the
// oldest of the peer that holds most go first. Knows no graph.
import { randomUUID } from 'node:crypto'
import { SwarmError } from '../../common/errors.ts'
import { residualLifetimeMs } from '../limits.ts'

interface Entry<T> {
  readonly peerId: string
  readonly bytes: number
  readonly content: T
  /** a client that never returns must not hold memory for long */
  readonly expiry: NodeJS.Timeout
}

export interface ResidualCacheInit {
  readonly maxBytes: number
  readonly lifetimeMs?: number
}

export class ResidualCache<T> {
  readonly maxBytes: number
  readonly #lifetimeMs: number
  readonly #entries = new Map<string, Entry<T>>()
  #bytes = 0

  constructor(init: ResidualCacheInit) {
    this.maxBytes = init.maxBytes
    this.#lifetimeMs = init.lifetimeMs ?? residualLifetimeMs
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Stores the content for this peer; returns its id, or '' if it is larger than the whole cache. */
  keep(peerId: string, content: T, bytes: number): string {
    if (bytes > this.maxBytes) return ''
    while (this.#bytes + bytes > this.maxBytes) this.drop(this.#oldestOfFullest(peerId, bytes))
    const id = randomUUID()
    const expiry = setTimeout(() => this.drop(id), this.#lifetimeMs).unref()
    this.#entries.set(id, { peerId, bytes, content, expiry })
    this.#bytes += bytes
    return id
  }

  /**
   * Evicts from the peer that holds most, counting the newcomer with its new bytes; if that peer holds nothing yet,
   * from the next.
   */
  #oldestOfFullest(newcomer: string, bytes: number): string {
    const held = new Map([[newcomer, bytes]])
    for (const entry of this.#entries.values()) held.set(entry.peerId, (held.get(entry.peerId) ?? 0) + entry.bytes)
    const byMost = [...held].sort(([, a], [, b]) => b - a)
    for (const [peerId] of byMost) {
      for (const [id, entry] of this.#entries) if (entry.peerId === peerId) return id
    }
    throw new SwarmError('INTERNAL', 'residuals: the cache is empty and has no room')
  }

  /**
   * The content, which stays. Only the peer it was kept for may see it.
   * @throws SwarmError RESIDUALS_EVICTED
   */
  peek(peerId: string, id: string): T {
    const entry = this.#entries.get(id)
    if (entry?.peerId !== peerId) {
      throw new SwarmError(
        'RESIDUALS_EVICTED',
        `residuals ${id.slice(0, 36)} are gone: send the backward request with the span's input`
      )
    }
    return entry.content
  }

  /** Takes the content out, under the same conditions. */
  take(peerId: string, id: string): T {
    const content = this.peek(peerId, id)
    this.drop(id)
    return content
  }

  /** Removes an entry, if present. */
  drop(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    clearTimeout(entry.expiry)
    this.#entries.delete(id)
    this.#bytes -= entry.bytes
  }

  /** Forgets all that was kept for a peer: one that has gone sends its backward requests, if ever, with the input. */
  forget(peerId: string): void {
    for (const [id, entry] of [...this.#entries]) if (entry.peerId === peerId) this.drop(id)
  }

  clear(): void {
    for (const id of [...this.#entries.keys()]) this.drop(id)
  }
}
