// Waiting between two looks at something. Keeps no process alive.

/** Resolves after so many milliseconds, or when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    timer.unref()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
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
