// Counts a server's work for the activity line that its operator sees. Uses only the clock that it is given.

/** A kind of pass through the blocks. */
export type PassKind = 'forward' | 'backward' | 'inference'

/** Peers that are remembered; of more the one that computed longest ago is forgotten. */
const maxPeers = 1024

/** Totals since the server was made. */
export interface ActivityTotals {
  /** passes and steps computed */
  readonly requests: number
  /** tokens computed, by kind of pass */
  readonly tokens: Readonly<Record<PassKind, number>>
}

export class Activity {
  readonly #now: () => number
  readonly #tokens: Record<PassKind, number> = { forward: 0, backward: 0, inference: 0 }
  #requests = 0
  /** when each peer's last request was computed, in that order */
  readonly #peers = new Map<string, number>()

  /** @param now milliseconds of a steady clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get totals(): ActivityTotals {
    return { requests: this.#requests, tokens: { ...this.#tokens } }
  }

  /** Counts one request that was computed. */
  add(pass: PassKind, tokens: number, peerId: string): void {
    this.#requests += 1
    this.#tokens[pass] += tokens
    this.#peers.delete(peerId)
    this.#peers.set(peerId, this.#now())
    if (this.#peers.size > maxPeers) this.#peers.delete(this.#peers.keys().next().value!)
  }

  /** Peers whose requests were computed in the last `ms` milliseconds; at most 1024 are known. */
  peersWithin(ms: number): number {
    const from = this.#now() - ms
    return [...this.#peers.values()].filter(at => at >= from).length
  }
}
