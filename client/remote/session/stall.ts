// Decides how long a step may be silent before its servers are pinged. Knows no server.
import { second } from '../../../common/units.ts'

/** A first step compiles, and the speed of the chain is still unknown. */
const firstPatienceMs = 2 * second
/** A step is hedged after this time plus its promised or usual time, because hedging doubles the servers' work. */
const [firstRivalMs, leastRivalMs] = [0.5 * second, 0.3 * second]
/** To ask costs a few milliseconds for each server. */
const leastPatienceMs = 0.5 * second
const mostPatienceMs = 4 * second
/** A step may take this many times its usual time. */
const factor = 4

export class Stall {
  #usualMs: number | null = null
  #longer = 1
  #rivals = 1

  get patienceMs(): number {
    const usual = this.#usualMs === null ? firstPatienceMs : Math.max(leastPatienceMs, factor * this.#usualMs)
    return Math.min(usual * this.#longer, mostPatienceMs)
  }

  /** How long a step may be late before it is hedged. @param promisedMs by the servers' announcements */
  rivalMs(promisedMs: number): number {
    const base = this.#usualMs === null ? firstRivalMs : Math.max(leastRivalMs, factor * this.#usualMs)
    return (base + factor * promisedMs) * this.#rivals
  }

  /** A hedge was useless: this chain is as fast as possible, or all are busy. */
  trustLonger(): void {
    this.#rivals *= 2
  }

  /** Starts again for another chain without measurements. */
  renew(): void {
    this.#usualMs = null
    this.#longer = 1
  }

  /** A step has taken so long. */
  took(ms: number): void {
    this.#usualMs = this.#usualMs === null ? ms : 0.7 * this.#usualMs + 0.3 * ms
    this.#longer = 1
  }

  /** All servers answer: they are busy. */
  waitLonger(): void {
    this.#longer *= 2
  }
}
