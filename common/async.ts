// Waiting: delays, races with a signal or a time limit, and work done one after the other. Nowhere else are these written out.
import { setTimeout as timeout } from 'node:timers/promises'
import { SwarmError, toSwarmError } from './errors.ts'

const nothing = (): void => {}

/** Throws the signal's reason as ours: ABORTED, or DEADLINE for a timeout. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
}

/** Calls back when the signal aborts, at once where it has. Returns a function that ends that; call it once the wait is over. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal?.aborted) listener()
  else signal?.addEventListener('abort', listener, { once: true })
  return () => signal?.removeEventListener('abort', listener)
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => void onAbort(signal, resolve))
}

/** Resolves when the work has ended, however it ended: for failures that are told elsewhere, or change nothing. */
export function settled(work: Promise<unknown>): Promise<void> {
  return work.then(nothing, nothing)
}

/** What the work gives, or the signal's reason as soon as it aborts. The work itself goes on. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = onAbort(signal, () => reject(toSwarmError(signal?.reason, 'ABORTED')))
  try {
    return await Promise.race([work, promise])
  } finally {
    stop()
  }
}

/** At least zero: Node prints a warning for a negative delay, which a moment that has already passed gives. */
const fromNow = (ms: number): number => Math.max(0, ms)

/** Resolves after `ms` milliseconds, soon where that is negative; rejects as soon as the signal aborts, with its reason. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(toSwarmError(signal.reason, 'ABORTED'))
    const timer = setTimeout(() => {
      stop()
      resolve()
    }, fromNow(ms))
    const stop = onAbort(signal, () => {
      clearTimeout(timer)
      reject(toSwarmError(signal?.reason, 'ABORTED'))
    })
  })
}

/** Resolves after `ms` milliseconds, or when the signal aborts. Does not keep the process alive. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await settled(timeout(fromNow(ms), undefined, { signal, ref: false })) // it rejects for the signal only
}

/**
 * Waits for work, but not longer than `ms` milliseconds, nor once the signal aborts. Throws what the work throws meanwhile; the
 * work itself goes on.
 */
export async function within(ms: number, work: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([work, pause(ms, signal ? AbortSignal.any([signal, over.signal]) : over.signal)])
  } finally {
    over.abort()
  }
}

/** Runs all at once; the first failure stops the others, and is thrown when they have ended. */
export async function runTogether<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal | undefined,
  run: (item: Item, index: number, cancelled: AbortSignal) => Promise<Result>
): Promise<Result[]> {
  const failed = new AbortController()
  const cancelled = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  let first: { error: unknown } | undefined
  const results = await Promise.allSettled(
    items.map(async (item, index) => {
      try {
        return await run(item, index, cancelled)
      } catch (error) {
        first ??= { error }
        failed.abort(new SwarmError('ABORTED', 'another part of the batch failed'))
        throw error
      }
    })
  )
  if (first !== undefined) throw first.error
  return results.map(result => (result as PromiseFulfilledResult<Result>).value)
}

/** Work done one after the other, in the order in which it was asked for. A failure is its caller's and stops nothing else. */
export class SerialQueue {
  #last: Promise<void> = Promise.resolve()

  /** Resolves when everything that was asked for so far has ended. */
  get idle(): Promise<void> {
    return this.#last
  }

  run<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = settled(done)
    return done
  }
}
