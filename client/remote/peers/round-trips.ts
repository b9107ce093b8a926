// How far away servers are: round trips, measured when they are first seen and again from time to time.
import { messageOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { minute } from '../../../common/units.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import { maxRoundTripMs } from '../routing/routing.ts'

/** A round trip is measured again when it is older. */
const maxAgeMs = 5 * minute
/** Servers that are pinged at once. */
const concurrentPings = 8

interface RoundTrip {
  readonly ms: number
  readonly measuredAt: number
}

/** Round trip in milliseconds. */
export type Ping = (peerId: string, options: { addresses: readonly string[]; signal?: AbortSignal }) => Promise<number>

export interface RoundTripsComponents {
  readonly ping: Ping
  readonly logger: Logger
  /** milliseconds since 1970 */
  readonly now: () => number
}

export class RoundTrips {
  readonly #components: RoundTripsComponents
  readonly #known = new Map<string, RoundTrip>()

  constructor(components: RoundTripsComponents) {
    this.#components = components
  }

  /** milliseconds; undefined where it was not measured yet */
  of(peerId: string): number | undefined {
    return this.#known.get(peerId)?.ms
  }

  /**
   * Pings the servers whose round trip is unknown or old. One that does not answer counts as far away. Never throws.
   * @param onAnswer hears of each server that answers
   */
  async measure(
    servers: readonly Announcement[],
    signal: AbortSignal,
    onAnswer: (server: Announcement) => void = () => {}
  ): Promise<void> {
    const { now } = this.#components
    const due = servers.filter(({ peerId }) => {
      const known = this.#known.get(peerId)
      return known === undefined || now() - known.measuredAt > maxAgeMs
    })
    await this.#pingAll(due, signal, (server, ms) => {
      this.#known.set(server.peerId, { ms: ms ?? maxRoundTripMs, measuredAt: now() })
      if (ms !== null) onAnswer(server)
    })
  }

  /** Pings all of them once more and keeps the shorter time: what holds up a ping is no distance. Never throws. */
  async remeasure(servers: readonly Announcement[], signal: AbortSignal): Promise<void> {
    const { now } = this.#components
    await this.#pingAll([...servers], signal, ({ peerId }, ms) => {
      const known = this.#known.get(peerId)?.ms ?? maxRoundTripMs
      if (ms !== null) this.#known.set(peerId, { ms: Math.min(ms, known), measuredAt: now() })
    })
  }

  /** @param tell hears of each server how long its ping took; null: it did not answer */
  async #pingAll(
    due: Announcement[],
    signal: AbortSignal,
    tell: (server: Announcement, ms: number | null) => void
  ): Promise<void> {
    const { ping, logger } = this.#components
    const work = async (): Promise<void> => {
      for (let server = due.shift(); server !== undefined; server = due.shift()) {
        const { peerId, addresses } = server
        let ms: number | null = null
        try {
          ms = await ping(peerId, { addresses, signal })
        } catch (error) {
          logger.debug({ peer: peerId, error }, `no answer to a ping: ${messageOf(error)}`)
        }
        tell(server, ms)
      }
    }
    await Promise.all(Array.from({ length: concurrentPings }, work))
  }
}
