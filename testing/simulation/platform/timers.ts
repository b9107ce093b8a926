// Node's timers and clocks over a world's virtual time.
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import type { Event } from '../clock.ts'
import { current, type Incarnation } from '../machine.ts'
import type { World } from '../world.ts'

/** When worlds begin: a time that no certificate, date or record has anything to do with. */
const epochMs = Date.UTC(2027, 0, 1)
/** Node takes longer ones for this. */
const [shortestMs, longestMs] = [1, 2 ** 31 - 1]

type Callback = (...values: unknown[]) => void

/** As Node's `Timeout`. */
class VirtualTimeout {
  readonly #world: World
  readonly #callback: () => void
  readonly #ms: number
  readonly #repeats: boolean
  readonly #owner: Incarnation | undefined
  #event: Event | null = null
  #hasRef = true

  constructor(world: World, callback: () => void, ms: number | undefined, repeats: boolean) {
    this.#world = world
    this.#callback = callback
    this.#ms = ms !== undefined && ms >= shortestMs && ms <= longestMs ? Math.trunc(ms) : shortestMs
    this.#repeats = repeats
    this.#owner = current()
    this.#start()
  }

  #start(): void {
    this.#event = this.#world.clock.after(this.#ms, () => this.#fire(), this.#owner)
    this.#event.isIdle = !this.#hasRef
  }

  #fire(): void {
    this.#event = null
    if (this.#repeats) this.#start()
    this.#callback()
  }

  clear(): void {
    if (this.#event !== null) this.#world.clock.cancel(this.#event)
    this.#event = null
  }

  refresh(): this {
    this.clear()
    this.#start()
    return this
  }

  ref(): this {
    return this.#refer(true)
  }

  unref(): this {
    return this.#refer(false)
  }

  hasRef(): boolean {
    return this.#hasRef
  }

  #refer(hasRef: boolean): this {
    this.#hasRef = hasRef
    if (this.#event !== null) this.#event.isIdle = !hasRef
    return this
  }

  close(): this {
    this.clear()
    return this
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}

const clear = (timer: unknown): void => {
  if (timer instanceof VirtualTimeout || timer instanceof VirtualImmediate) timer.clear()
}

class VirtualImmediate {
  readonly #world: World
  #event: Event

  constructor(world: World, callback: () => void) {
    this.#world = world
    this.#event = world.clock.after(0, callback)
  }

  clear(): void {
    this.#world.clock.cancel(this.#event)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}

interface WaitOptions {
  readonly signal?: AbortSignal
}

/** Resolves with the value when `start`'s callback is called; rejects when the signal aborts. */
function waiting<T>(
  start: (done: () => void) => { clear(): void },
  value: T,
  { signal }: WaitOptions = {}
): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (): void => {
      timer.clear()
      reject(new DOMException('The operation was aborted', { name: 'AbortError', cause: signal?.reason }))
    }
    const timer = start(() => {
      signal?.removeEventListener('abort', failed)
      resolve(value)
    })
    if (signal?.aborted) failed()
    else signal?.addEventListener('abort', failed, { once: true })
  })
}

/** Puts virtual ones in the place of all timers and clocks. @param world the world of the moment */
export function replaceTimers(world: () => World): void {
  const timeout = (callback: Callback, ms?: number, ...values: unknown[]) =>
    new VirtualTimeout(world(), () => callback(...values), ms, false)
  const interval = (callback: Callback, ms?: number, ...values: unknown[]) =>
    new VirtualTimeout(world(), () => callback(...values), ms, true)
  const immediate = (callback: Callback, ...values: unknown[]) =>
    new VirtualImmediate(world(), () => callback(...values))
  const plain = {
    setTimeout: timeout,
    setInterval: interval,
    setImmediate: immediate,
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear
  }
  Object.assign(globalThis, plain)
  Object.assign(timers, plain)
  Object.assign(timersPromises, {
    setTimeout: <T>(ms?: number, value?: T, options?: WaitOptions) =>
      waiting(done => new VirtualTimeout(world(), done, ms, false), value, options),
    setImmediate: <T>(value?: T, options?: WaitOptions) =>
      waiting(done => new VirtualImmediate(world(), done), value, options),
    setInterval: () => {
      throw new Error('timers/promises setInterval: not simulated')
    }
  })

  AbortSignal.timeout = ms => {
    const controller = new AbortController()
    const late = (): void => {
      // most are not heard any more, and a stack is dear
      const { stackTraceLimit } = Error
      Error.stackTraceLimit = 0
      const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
      Error.stackTraceLimit = stackTraceLimit
      controller.abort(reason)
    }
    new VirtualTimeout(world(), late, ms, false).unref()
    return controller.signal
  }

  const now = (): number => world().clock.now
  performance.now = now
  Object.assign(process, {
    hrtime: Object.assign(
      ([seconds, nanoseconds]: [number, number] = [0, 0]): [number, number] => {
        const elapsed = Math.round(now() * 1e6) - (seconds * 1e9 + nanoseconds)
        return [Math.floor(elapsed / 1e9), elapsed % 1e9]
      },
      { bigint: () => BigInt(Math.round(now() * 1e6)) }
    ),
    uptime: () => now() / 1000
  })
  const RealDate = Date
  const wallClock = (): number => Math.floor(epochMs + now() + (current()?.machine.clockErrorMs ?? 0))
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, values, created) =>
      Reflect.construct(target, values.length === 0 ? [wallClock()] : values, created),
    apply: () => new RealDate(wallClock()).toString(),
    get: (target, name) => (name === 'now' ? wallClock : Reflect.get(target, name))
  })
}
