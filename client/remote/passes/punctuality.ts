// Decides how long a request may take before it is hedged. Pure.
import { second } from '../../../common/units.ts'

/** Times what was promised. */
const factor = 4
/** Hidden states travel at least so fast, or the link is to blame and not the server: bytes a second. */
const leastBytesPerSecond = 1.25e6
/** of a new observation */
const weight = 0.3
const mostSlowness = 100
/** Quota of hedged requests: a few at once, and a share of all. If every server is late, more work does not help. */
const hedgesAtOnce = 3
const hedgeShare = 0.1

/** Milliseconds for these bytes in one direction on a slow link. */
export function bytesMs(bytes: number): number {
  return (bytes / leastBytesPerSecond) * second
}

/** There and back. */
export function passBytesMs(bytes: number): number {
  return 2 * bytesMs(bytes)
}

export interface PunctualityInit {
  /** patience in milliseconds, in addition to the promised time */
  readonly leastMs: number
}

export class Punctuality {
  readonly #leastMs: number
  /** slowness (actual by promised time), by server */
  readonly #slowness = new Map<string, number>()
  #asked = 0
  #hedges = 0

  constructor({ leastMs }: PunctualityInit) {
    this.#leastMs = leastMs
  }

  /** @param promisedMs by announcements and measured round trips */
  patienceMs(promisedMs: number): number {
    this.#asked += 1
    // the minimum: if only one server is slow, another may help
    const slowness = this.#slowness.size === 0 ? 1 : Math.max(1, Math.min(...this.#slowness.values()))
    return this.#leastMs + factor * promisedMs * slowness
  }

  /** A server has answered. */
  took(peerId: string, ms: number, promisedMs: number): void {
    const found = Math.min(Math.max(ms / Math.max(promisedMs, 1), 0.1), mostSlowness)
    const before = this.#slowness.get(peerId) ?? found
    this.#slowness.set(peerId, before + weight * (found - before))
  }

  /** Whether one more request may be hedged; counts it. */
  mayHedge(): boolean {
    if (this.#hedges >= hedgesAtOnce + hedgeShare * this.#asked) return false
    this.#hedges += 1
    return true
  }

  /** The last hedge answered first, or there was no server to ask: it does not count towards the quota. */
  spare(): void {
    this.#hedges -= 1
  }
}
