// Measures recent waiting times and run times, for announcements and for the retry delay of BUSY. Knows no queue.
import { second } from '../../common/units.ts'

/** of what is new */
const weight = 0.2
/** Without work for so long a queue counts as empty. */
const staleMs = 15 * second

export class LoadMeter {
  readonly #now: () => number
  #waitMs = 0
  #runMs = 0
  #lastAt = -Infinity

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** recent waiting time of work; 0 without recent work */
  get waitMs(): number {
    return this.#now() - this.#lastAt > staleMs ? 0 : this.#waitMs
  }

  /** time of a run; 0 before the first */
  get runMs(): number {
    return this.#runMs
  }

  waited(ms: number): void {
    this.#waitMs = this.waitMs + weight * (ms - this.waitMs)
    this.#lastAt = this.#now()
  }

  ran(ms: number): void {
    this.#runMs = this.#runMs === 0 ? ms : this.#runMs + weight * (ms - this.#runMs)
  }
}
