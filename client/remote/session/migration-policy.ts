// Decides whether a session leaves a chain that is far slower than promised: once it has lost more time than a move
// costs (the ski rental problem). Pure.
import { second } from '../../../common/units.ts'

/**
 * A decode step is late if it takes this many times the promised time, and at least this much longer. A chain is left only for one
 * that promises half of its usual time, so a larger factor would keep chains although others are several times as fast.
 */
const factor = 2
const leastLateMs = 0.05 * second
/** A step alone may have compiled a graph. */
const leastSteps = 2
/** A move costs at least this: opening a session. Each further move must have lost four times as much before. */
const leastLossMs = 0.2 * second
const lossFactor = 4

export class MigrationPolicy {
  #steps = 0
  #lostMs = 0
  #usualMs = 0
  #needed = 1

  /** Records a decode step that took `ms` with a promised time of `promisedMs`. */
  took(ms: number, promisedMs: number): void {
    if (ms <= factor * promisedMs || ms - promisedMs < leastLateMs) {
      this.renew()
      return
    }
    this.#steps += 1
    this.#lostMs += ms - promisedMs
    this.#usualMs = this.#steps === 1 ? ms : Math.min(this.#usualMs, ms)
  }

  /**
   * Whether the chain has lost more time than a move costs. @param replayMs time in which other servers recompute the
   * positions so far
   */
  isLate(replayMs: () => number): boolean {
    return this.#steps >= leastSteps && this.#lostMs > this.#needed * (leastLossMs + replayMs())
  }

  /** Minimum time of the recent consecutive late steps. */
  get usualMs(): number {
    return this.#usualMs
  }

  /** By how much they were late on average. */
  get lateMs(): number {
    return this.#lostMs / Math.max(1, this.#steps)
  }

  /** The session has looked for another chain. */
  moved(): void {
    this.#needed *= lossFactor
    this.renew()
  }

  /** The chain is in time, or another. */
  renew(): void {
    this.#steps = 0
    this.#lostMs = 0
    this.#usualMs = 0
  }
}
