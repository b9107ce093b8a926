// Updates the changing parts of a server's announcement: round trips to neighbours and queueing times. Announces again
// when they change.

import { pause } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import type { BlockRange } from '../../common/range.ts'
import { second } from '../../common/units.ts'
import { type Announcement, maxTrips, type Trip } from '../../network/discovery/announcement.ts'
import type { Network } from '../../network/network.ts'
import type { Scheduler } from '../schedule/scheduler.ts'

const defaultIntervalMs = 15 * second
/** Neighbours are measured once in this many rounds. */
const roundsBetween = 8
const pingTimeoutMs = 2 * second
/** A queue is announced only if it changes by at least this much and by half. */
const leastChangeMs = 50

export interface Queues {
  readonly queueMs: number
  readonly trainingQueueMs: number
}

export interface LoadReporterComponents {
  readonly network: Pick<Network, 'ping' | 'directory' | 'peerId'>
  readonly scheduler: Pick<Scheduler, 'waitMs'>
  readonly logger?: Logger
  /** announces the current state */
  announce(): Promise<void>
}

export interface LoadReporterInit {
  readonly intervalMs?: number
}

/** Whether a change of a queue deserves an announcement. */
export function isNews(told: number, now: number): boolean {
  return Math.abs(now - told) >= leastChangeMs && Math.abs(now - told) >= Math.max(told, now) / 2
}

/** Servers that may follow in a chain: those that host the block after ours. */
export function successors(servers: readonly Announcement[], own: BlockRange, peerId: string): Announcement[] {
  return servers.filter(
    ({ state, firstBlock, endBlock, ...server }) =>
      state === 'online' && firstBlock <= own.end && own.end < endBlock && server.peerId !== peerId
  )
}

export class LoadReporter {
  readonly #components: LoadReporterComponents
  readonly #intervalMs: number
  readonly #logger: Logger
  #trips: readonly Trip[] = []
  #told: Queues = { queueMs: 0, trainingQueueMs: 0 }

  constructor(components: LoadReporterComponents, { intervalMs = defaultIntervalMs }: LoadReporterInit = {}) {
    this.#components = components
    this.#intervalMs = intervalMs
    this.#logger = components.logger ?? silent
  }

  /** For the announcement that is made now. */
  describe(): Queues & { readonly trips: readonly Trip[] } {
    this.#told = this.#queues()
    return { ...this.#told, trips: this.#trips }
  }

  /** Looks until the signal aborts. Never throws. @param about what is served; undefined where nothing is just now */
  async run(about: () => { readonly model: string; readonly range: BlockRange } | undefined, signal: AbortSignal) {
    for (let round = 0; ; round++) {
      await pause(this.#intervalMs, signal)
      if (signal.aborted) return
      try {
        const served = about()
        if (served === undefined) continue
        const isNew = round % roundsBetween === 0 && (await this.#measure(served, signal))
        const now = this.#queues()
        const { queueMs, trainingQueueMs } = this.#told
        const isBusy = isNews(queueMs, now.queueMs) || isNews(trainingQueueMs, now.trainingQueueMs)
        if (isNew || isBusy) await this.#components.announce()
      } catch (error) {
        if (signal.aborted) return
        this.#logger.debug({ reason: messageOf(error) }, 'what has changed could not be announced')
      }
    }
  }

  #queues(): Queues {
    const { scheduler } = this.#components
    return {
      queueMs: Math.max(scheduler.waitMs('decode'), scheduler.waitMs('prefill')),
      trainingQueueMs: scheduler.waitMs('training')
    }
  }

  /**
   * Pings some successors, different ones each time if there are many. Returns whether one was measured for the first
   * time.
   */
  async #measure({ model, range }: { model: string; range: BlockRange }, signal: AbortSignal): Promise<boolean> {
    const { network } = this.#components
    const before = new Set(this.#trips.map(({ peerId }) => peerId))
    const candidates = successors(network.directory.list(model), range, network.peerId)
    const chosen = candidates
      .map(server => ({ server, order: Math.random() }))
      .sort((a, b) => a.order - b.order)
      .slice(0, maxTrips)
    const measured = await Promise.all(
      chosen.map(async ({ server: { peerId, addresses } }): Promise<Trip[]> => {
        const limited = AbortSignal.any([signal, AbortSignal.timeout(pingTimeoutMs)])
        try {
          return [{ peerId, ms: await network.ping(peerId, { addresses, signal: limited }) }]
        } catch (error) {
          this.#logger.debug({ peer: peerId, reason: messageOf(error) }, 'a neighbour does not answer')
          return []
        }
      })
    )
    this.#trips = measured.flat()
    return this.#trips.some(({ peerId }) => !before.has(peerId))
  }
}
