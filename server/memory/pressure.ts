// Keeps a server within its memory budget under a flood. Discarded buffers are not accounted, but stay in memory until
// V8 collects them, which it does late for memory outside its heap.
import { onAbort } from '../../common/async.ts'
import { MiB } from '../../common/units.ts'

const intervalMs = 100
/** of the budget; below it garbage does no harm */
const highShare = 3 / 4
/** Growth of memory, in bytes, that is worth another collection of 30 ms. */
const leastGrowthBytes = 16 * MiB

export interface MemoryPressureComponents {
  /** bytes that the process has in memory */
  rss(): number
  /** collects all garbage now */
  collect(): void
}

/** Whether to collect: memory is high, and has grown since the last collection left `settled` bytes. Pure. */
function mustCollect(rss: number, settled: number, memoryBytes: number): boolean {
  return rss > memoryBytes * highShare && rss > settled + leastGrowthBytes
}

export class MemoryPressure {
  readonly #components: MemoryPressureComponents
  readonly #memoryBytes: number
  #settled = 0

  /** @param init.memoryBytes limit for the whole process */
  constructor(components: MemoryPressureComponents, init: { readonly memoryBytes: number }) {
    this.#components = components
    this.#memoryBytes = init.memoryBytes
  }

  /** Looks once. */
  check(): void {
    const { rss, collect } = this.#components
    const now = rss()
    if (!mustCollect(now, this.#settled, this.#memoryBytes)) {
      this.#settled = Math.min(this.#settled, now)
      return
    }
    collect()
    this.#settled = rss()
  }

  /** Looks again and again until the signal aborts. */
  run(signal: AbortSignal): void {
    const timer = setInterval(() => this.check(), intervalMs)
    timer.unref()
    onAbort(signal, () => clearInterval(timer))
  }
}
