// Lets training yield to decoding clients: after a run of training the device is theirs for as long as the run took.
// Pure.
import { second } from '../../common/units.ts'

/** A peer that neither requested nor received a token for this long is not waiting for one. */
const interactiveMs = 1 * second
/** maximum time for which training yields after one run */
const longestMs = 10 * second

export class TrainingYield {
  readonly #now: () => number
  /** when each peer asked last, most recent last */
  readonly #arrivals = new Map<string, number>()
  #until = -Infinity

  constructor({ now = () => performance.now() }: { now?: () => number } = {}) {
    this.#now = now
  }

  /** A peer wants a token, or a prompt computed, or has it now. */
  arrived(peerId: string): void {
    this.#arrivals.delete(peerId)
    this.#arrivals.set(peerId, this.#now())
  }

  /** Records the time of a training run. */
  trained(ms: number): void {
    this.#until = this.#now() + Math.min(ms, longestMs)
  }

  /** Milliseconds for which training of this peer yields; 0 if no other peer waits for tokens. */
  waitMs(peerId: string): number {
    const now = this.#now()
    for (const [other, time] of this.#arrivals) {
      if (time >= now - interactiveMs) break
      this.#arrivals.delete(other)
    }
    const hasOthers = [...this.#arrivals.keys()].some(other => other !== peerId)
    return hasOthers ? Math.max(0, this.#until - now) : 0
  }
}
