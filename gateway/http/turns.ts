// Decides who generates next: a limited number at once; the others wait, and callers take turns. Pure except for promises.
import { onAbort } from '../../common/async.ts'
import { ApiError } from '../errors.ts'

export interface TurnQueueInit {
  /** generations at once */
  readonly maxConcurrent: number
  /** requests that wait; one caller fills half of it at most */
  readonly maxQueued: number
}

interface Waiter {
  start(): void
  refuse(error: ApiError): void
}

/** seconds after which a request that was refused may find room */
const retryAfterSeconds = 2

const overloaded = (message: string, status: 429 | 503): ApiError =>
  new ApiError(message, { status, code: status === 429 ? 'queue_full' : 'overloaded', retryAfter: retryAfterSeconds })

export class TurnQueue {
  readonly #init: TurnQueueInit
  /** by caller, in the order of turns: the first caller is next, then moves to the end */
  readonly #waiting = new Map<string, Waiter[]>()
  #running = 0
  #queued = 0
  #isClosed = false

  constructor(init: TurnQueueInit) {
    this.#init = init
  }

  /** generations that run */
  get running(): number {
    return this.#running
  }

  /** no new requests are accepted */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** requests that wait */
  get queued(): number {
    return this.#queued
  }

  /**
   * Waits for the caller's turn. Call the returned function, once or more, when the generation has ended.
   * @param caller those with the same name share their turns
   * @throws ApiError 503 when the queue is full or the gateway stops, 429 when this caller fills half of it; the signal's reason
   */
  async enter(caller: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    this.#refuseIfFull(caller)
    if (this.#running < this.#init.maxConcurrent) this.#running++
    else await this.#wait(caller, signal)
    let hasLeft = false
    return () => {
      if (hasLeft) return
      hasLeft = true
      this.#leave()
    }
  }

  #refuseIfFull(caller: string): void {
    const { maxConcurrent, maxQueued } = this.#init
    if (this.#isClosed) throw overloaded('the gateway is stopping: ask another one, or later', 503)
    if (this.#running < maxConcurrent) return
    if (this.#queued >= maxQueued) {
      throw overloaded(
        `the gateway is busy: ${this.#running} answers are being generated, ${this.#queued} requests wait`,
        503
      )
    }
    const own = this.#waiting.get(caller)?.length ?? 0
    const most = Math.max(1, Math.ceil(maxQueued / 2))
    if (own >= most) throw overloaded(`${own} requests of this caller wait already: send fewer at once`, 429)
  }

  async #wait(caller: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { start: resolve, refuse: reject }
    const line = this.#waiting.get(caller)
    if (line === undefined) this.#waiting.set(caller, [waiter])
    else line.push(waiter)
    this.#queued++
    const ignore = onAbort(signal, () => {
      if (this.#remove(caller, waiter)) reject(signal.reason)
    })
    try {
      await promise
    } finally {
      ignore()
    }
  }

  /** @returns false where it has started */
  #remove(caller: string, waiter: Waiter): boolean {
    const line = this.#waiting.get(caller)
    const at = line?.indexOf(waiter) ?? -1
    if (line === undefined || at < 0) return false
    line.splice(at, 1)
    if (line.length === 0) this.#waiting.delete(caller)
    this.#queued--
    return true
  }

  /** Hands the place of a generation that has ended to the next caller. */
  #leave(): void {
    const next = this.#waiting.entries().next().value
    if (next === undefined) {
      this.#running--
      return
    }
    const [caller, line] = next
    const waiter = line.shift()!
    this.#queued--
    this.#waiting.delete(caller)
    if (line.length > 0) this.#waiting.set(caller, line)
    waiter.start()
  }

  /** Refuses new requests and those that wait; generations that run go on. */
  close(): void {
    this.#isClosed = true
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    this.#queued = 0
    for (const waiter of all) waiter.refuse(overloaded('the gateway is stopping: ask another one, or later', 503))
  }
}
