// Activations kept between a forward request and its backward, bounded in bytes; the oldest go first. Knows no graph.
import { randomUUID } from 'node:crypto'
import { SwarmError } from '../common/errors.ts'
import { minute } from '../common/units.ts'

interface Entry<T> {
  readonly peerId: string
  readonly bytes: number
  readonly content: T
  readonly expiresAt: number
}

/** A client that never comes back must not hold memory for long. */
const lifetimeMs = 10 * minute

export class ResidualCache<T> {
  readonly maxBytes: number
  readonly #entries = new Map<string, Entry<T>>()
  readonly #now: () => number
  #bytes = 0

  constructor(maxBytes: number, now: () => number = Date.now) {
    this.maxBytes = maxBytes
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Keeps the content for this peer; returns its id, or '' where it is larger than the whole cache. */
  keep(peerId: string, content: T, bytes: number): string {
    this.#expire()
    if (bytes > this.maxBytes) return ''
    for (const id of this.#entries.keys()) {
      if (this.#bytes + bytes <= this.maxBytes) break
      this.#drop(id)
    }
    const id = randomUUID()
    this.#entries.set(id, { peerId, bytes, content, expiresAt: this.#now() + lifetimeMs })
    this.#bytes += bytes
    return id
  }

  /**
   * Takes the content out. Only the peer it was kept for may.
   * @throws SwarmError RESIDUALS_EVICTED
   */
  take(peerId: string, id: string): T {
    this.#expire()
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.peerId !== peerId) {
      throw new SwarmError(
        'RESIDUALS_EVICTED',
        `residuals ${id} are gone: send the backward request with the span's input`
      )
    }
    this.#drop(id)
    return entry.content
  }

  /** Forgets all that was kept for a peer. */
  forget(peerId: string): void {
    for (const [id, entry] of this.#entries) if (entry.peerId === peerId) this.#drop(id)
  }

  #expire(): void {
    for (const [id, entry] of this.#entries) {
      if (entry.expiresAt > this.#now()) return
      this.#drop(id)
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#entries.get(id)!.bytes
    this.#entries.delete(id)
  }
}
