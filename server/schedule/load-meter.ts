// How long work waits and how long runs take, lately, as announced and as told to those who are refused. Knows no queue.
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

  /** how long work waited for its turn; 0 where there was none lately */
  get waitMs(): number {
    return this.#now() - this.#lastAt > staleMs ? 0 : this.#waitMs
  }

  /** how long a run takes; 0 where there was none yet */
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
