// Decides how long a run of decode steps waits for other sessions, so that all are computed in one batch instead of two
// alternating ones. Knows no queue.
import { second } from '../../common/units.ts'

/** share of a run's time: waiting longer would cost more than it gains */
const longestShare = 0.25
const longestMs = 10
/** Sessions that did not step for this many runs are not waited for. */
const activeRuns = 3

/** Runs that are shorter than this gain nothing by waiting, timers being as coarse as they are. */
const shortestRunMs = 4

export class BatchingWindow {
  /** when each session stepped last */
  readonly #arrivals = new Map<object, number>()
  readonly #now: () => number
  /** smoothed duration of a run */
  #runMs = 0
  #waiting: { readonly expected: number; resolve(): void } | null = null

  constructor({ now = () => performance.now() }: { now?: () => number } = {}) {
    this.#now = now
  }

  arrive(member: object): void {
    // the latest stand last
    this.#arrivals.delete(member)
    this.#arrivals.set(member, this.#now())
  }

  /** Records the time of a run. */
  ran(ms: number): void {
    this.#runMs = this.#runMs === 0 ? ms : 0.7 * this.#runMs + 0.3 * ms
  }

  /** Sessions that are likely to step, including those that have arrived. */
  get active(): number {
    const since = this.#now() - Math.min(activeRuns * this.#runMs, 5 * second) - longestMs
    for (const [member, time] of this.#arrivals) {
      if (time >= since) break
      this.#arrivals.delete(member)
    }
    return this.#arrivals.size
  }

  /** Milliseconds to wait, given how many of the active sessions have arrived. */
  waitMs(present: number): number {
    if (present >= this.active || this.#runMs < shortestRunMs) return 0
    return Math.min(longestShare * this.#runMs, longestMs)
  }

  /** Waits until the active sessions have arrived or the time is over. */
  async wait(present: number): Promise<void> {
    const ms = this.waitMs(present)
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      const end = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiting = { expected: this.active, resolve: end }
    })
    this.#waiting = null
  }

  /** Ends the wait if enough sessions have arrived. */
  enough(present: number): void {
    if (this.#waiting !== null && present >= this.#waiting.expected) this.#waiting.resolve()
  }
}
