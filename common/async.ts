// Waiting: delays and races with a signal or a time limit. Keeps no process alive.
import { setTimeout } from 'node:timers/promises'

/** Resolves after so many milliseconds, or when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => {}) // it rejects for the signal only
}

/** Waits for work, but not longer than this, nor once the signal aborts. Throws what the work throws meanwhile. */
export async function within(ms: number, work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([work, pause(ms, AbortSignal.any([signal, over.signal]))])
  } finally {
    over.abort()
  }
}
