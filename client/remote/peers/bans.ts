// Servers that are excluded for a while: failed ones, with exponential backoff, and busy ones.
import { messageOf, SwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { second } from '../../../common/units.ts'

/** First ban after a failure; doubled with each further one in a row. */
const banMs = 15 * second
const maxDoublings = 6
/** Servers that are busy are waited for so long at most. */
const maxBusyMs = 10 * second

/** Failures within this time of each other have the same cause. */
const sameTroubleMs = 1 * second

interface Ban {
  readonly failures: number
  readonly until: number
  readonly at: number
  /** the last failure; '' if unknown */
  readonly why: string
}

export interface BansComponents {
  readonly logger: Logger
  /** milliseconds since 1970 */
  readonly now: () => number
}

export class Bans {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #failed = new Map<string, Ban>()
  /** time until which servers reported to be busy */
  readonly #busy = new Map<string, number>()

  constructor({ logger, now }: BansComponents) {
    this.#logger = logger
    this.#now = now
  }

  /** Peers that failed lately or are busy. */
  get current(): ReadonlySet<string> {
    const now = this.#now()
    const busy = [...this.#busy].filter(([, until]) => until > now).map(([peerId]) => peerId)
    return new Set([...this.reasons.keys(), ...busy])
  }

  /** Causes of recent failures by server; '' if unknown. */
  get reasons(): ReadonlyMap<string, string> {
    const now = this.#now()
    const failed = [...this.#failed].filter(([, ban]) => ban.until > now)
    return new Map(failed.map(([peerId, { why }]) => [peerId, why]))
  }

  /** Milliseconds until the first busy server may be asked again; null if none is busy. */
  get busyMs(): number | null {
    const waits = [...this.#busy.values()].map(until => until - this.#now()).filter(ms => ms > 0)
    return waits.length === 0 ? null : Math.min(...waits)
  }

  /**
   * Excludes the peer for 15 s, doubled after each further failure in a row; a peer that sent a retry delay, for that
   * time.
   */
  fail(peerId: string, reason?: SwarmError | Pick<SwarmError, 'retryAfterMs'>): void {
    const busyMs = Math.min(reason?.retryAfterMs ?? 0, maxBusyMs)
    if (busyMs > 0) {
      this.#busy.set(peerId, this.#now() + busyMs)
      this.#logger.debug({ peer: peerId, busyMs }, 'a server is busy')
      return
    }
    const now = this.#now()
    const before = this.#failed.get(peerId)
    if (before !== undefined && now - before.at < sameTroubleMs) return
    const failures = (before?.failures ?? 0) + 1
    const length = banMs * 2 ** Math.min(failures - 1, maxDoublings)
    // the cause in an error that names its hop
    const why = reason instanceof SwarmError ? messageOf(reason.cause ?? reason) : ''
    this.#failed.set(peerId, { failures, until: now + length, at: now, why })
    this.#logger.warn({ peer: peerId, failures, banMs: length }, 'a server failed and is excluded for a while')
  }

  /** Forgets the peer's failures. */
  succeed(peerId: string): void {
    this.#failed.delete(peerId)
  }
}
