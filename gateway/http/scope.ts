// One request from its arrival to the end of its answer: what it used, and the callbacks at its end. Knows no framework.
import { randomUUID } from 'node:crypto'
import { sourceOfIp } from '../../common/ip-source.ts'
import type { Meter } from '../models/meter.ts'
import type { Origin } from './origin.ts'

/** An id that a client gave. */
const idPattern = /^[\w.:-]{1,128}$/

export class RequestScope implements Meter {
  /** as the answer's `x-request-id` */
  readonly id: string
  readonly origin: Origin
  /** Unix time of the arrival, in milliseconds */
  readonly time = Date.now()
  /** aborts when the client leaves, or when the gateway stops and its grace is over */
  readonly abort = new AbortController()
  /** it only reads, so that a stop does not wait for it */
  readonly watches: boolean
  model: string | null = null
  keyId: string | null = null
  /** who shares turns and limits: the key, or the client's address, of IPv6 its /64 network */
  caller: string
  promptTokens = 0
  completionTokens = 0
  firstTokenMs: number | null = null
  /** of an error */
  code: string | null = null
  readonly #started = performance.now()
  readonly #ends: (() => void)[] = []
  #hasEnded = false

  /** @param givenId the client's id for the request; one that is no id is replaced */
  constructor(givenId: string | undefined, origin: Origin, { watches = false } = {}) {
    this.watches = watches
    this.id = givenId !== undefined && idPattern.test(givenId) ? givenId : `req_${randomUUID().replaceAll('-', '')}`
    this.origin = origin
    this.caller = sourceOfIp(origin.client)
  }

  get elapsedMs(): number {
    return performance.now() - this.#started
  }

  named(model: string): void {
    this.model = model
  }

  prompt(tokens: number): void {
    this.promptTokens += tokens
  }

  answered(tokens: number): void {
    if (tokens > 0) this.firstTokenMs ??= this.elapsedMs
    this.completionTokens += tokens
  }

  failed(code: string): void {
    this.code ??= code
  }

  /** Calls back when the answer has ended, at once where it has. */
  onEnd(act: () => void): void {
    if (this.#hasEnded) act()
    else this.#ends.push(act)
  }

  /** The answer has ended. Does nothing the second time. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const act of this.#ends.splice(0)) act()
  }
}

/** Requests that are not answered yet. */
export class OpenRequests {
  readonly #open = new Set<RequestScope>()
  #waiters: { isMet(): boolean; resolve(): void }[] = []

  get size(): number {
    return this.#open.size
  }

  add(scope: RequestScope): void {
    this.#open.add(scope)
    scope.onEnd(() => {
      this.#open.delete(scope)
      for (const { isMet, resolve } of this.#waiters) if (isMet()) resolve()
      this.#waiters = this.#waiters.filter(({ isMet }) => !isMet())
    })
  }

  /** Resolves when none is left. */
  idle(): Promise<void> {
    return this.#until(() => this.#open.size === 0)
  }

  /** Resolves when no request does work any more. Pages that only watch (a live map) do not count: they never end. */
  settled(): Promise<void> {
    return this.#until(() => [...this.#open].every(({ watches }) => watches))
  }

  /** Resolves when the requests that use this model now have ended. */
  async unused(model: string): Promise<void> {
    const using = [...this.#open].filter(scope => scope.model === model)
    await Promise.all(using.map(scope => new Promise<void>(resolve => scope.onEnd(resolve))))
  }

  #until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise(resolve => void this.#waiters.push({ isMet, resolve }))
  }

  abortAll(reason: Error): void {
    for (const scope of this.#open) scope.abort.abort(reason)
  }
}
