// Virtual time: everything that happens in a simulated world, in the order of its times. Knows no world.
import type { Incarnation } from './machine.ts'
import { current } from './machine.ts'

/** What a clock runs at a time. */
export interface Event {
  at: number
  /** the time it was meant for; another than `at` where its machine stood still then */
  due: number
  readonly order: number
  /** null: cancelled, or done */
  run: (() => void) | null
  /** whose event it is; undefined: the world's own */
  readonly owner: Incarnation | undefined
  /** nobody waits for it: as of a timer that keeps no process alive */
  isIdle: boolean
  /** stack of what asked for it, where the clock remembers that */
  readonly origin: string | undefined
}

const comesBefore = (a: Event, b: Event): boolean =>
  a.at !== b.at ? a.at < b.at : a.due !== b.due ? a.due < b.due : a.order < b.order

/** Real ones, whatever is put in their place later. */
const nextTurn = globalThis.setImmediate
const realNow = performance.now.bind(performance)

/** Events that run in one round of the real event loop. */
const eventsPerRound = 64
/** Events of one moment that can only be a loop that waits for something else. */
const maxEventsAtOnce = 2_000_000

export class Clock {
  /** milliseconds since the world began */
  now = 0
  /** events that have run */
  events = 0
  /** whether events keep the stack of what asked for them: slow */
  remembers = false
  readonly #heap: Event[] = []
  #order = 0
  #atOnce = 0

  /** Runs `run` in so many milliseconds, as its owner (null: the world), unless that is dead by then. */
  after(ms: number, run: () => void, as: Incarnation | null = current() ?? null): Event {
    const at = this.now + Math.max(0, ms)
    const owner = as ?? undefined
    const event: Event = {
      at,
      due: at,
      order: this.#order++,
      run,
      owner,
      isIdle: false,
      origin: this.remembers ? new Error().stack : undefined
    }
    this.#push(event)
    return event
  }

  cancel(event: Event): void {
    event.run = null
  }

  /** Events that are still to come of this owner, but for those that nobody waits for. */
  pendingOf(owner: Incarnation): Event[] {
    return this.#heap.filter(event => event.run !== null && event.owner === owner && !event.isIdle)
  }

  /**
   * Lets time pass until `work` has settled. Throws where nothing is left that could settle it, and what `work` throws.
   * @param options.waits real work may be under way as well, as while modules are loaded: an empty clock is waited at
   */
  async run<T>(work: Promise<T>, options: { waits?: boolean; mostMs?: number } = {}): Promise<T> {
    let isDone = false
    const settled = work.finally(() => {
      isDone = true
    })
    settled.catch(() => {})
    const started = realNow()
    for (;;) {
      // promises and ticks have their turn between two callbacks of one round
      let hasRun = false
      for (let event = 1; event < eventsPerRound; event++) {
        nextTurn(() => {
          if (!isDone) hasRun = this.#step() || hasRun
        })
      }
      await new Promise<void>(resolve => nextTurn(resolve))
      if (isDone) return await settled
      if (!hasRun && !options.waits && this.#heap.length === 0) {
        throw new Error(`at ${this.now} ms nothing is left to happen, and the work is not done`)
      }
      if (options.mostMs !== undefined && realNow() - started > options.mostMs) {
        throw new Error(`after ${options.mostMs} real ms the world stands at ${this.now} ms`)
      }
    }
  }

  /** Runs the next event; false where there is none. */
  #step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      const { run, owner } = event
      if (run === null || owner?.isDead) continue
      if (owner !== undefined && owner.machine.frozenUntil > event.at) {
        event.at = owner.machine.frozenUntil
        this.#push(event)
        continue
      }
      this.#atOnce = event.at > this.now ? 0 : this.#atOnce + 1
      if (this.#atOnce > maxEventsAtOnce) throw new Error(`at ${this.now} ms something loops and lets no time pass`)
      this.now = Math.max(this.now, event.at)
      this.events++
      event.run = null
      current.as(owner, run)
      return true
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!comesBefore(event, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++
      if (!comesBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}
