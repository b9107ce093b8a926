// Resources that end with the work done over them. The `using` declaration does this in one word, but Node 22 cannot parse it.
import { onAbort, throwIfAborted } from './async.ts'

/** Runs `use` with the resource and disposes of it afterwards, whether that succeeds or throws. */
export async function withResource<T extends Disposable | AsyncDisposable, R>(
  resource: T,
  use: (resource: T) => Promise<R>
): Promise<R> {
  try {
    return await use(resource)
  } finally {
    if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
    else resource[Symbol.dispose]()
  }
}

/** What is made first and started then. `stop` ends a start that is under way. */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts it. Stops it when the signal aborts meanwhile, and where the start fails. Throws the signal's reason, or what `start` throws.
 */
export async function startOrStop(startable: Startable, signal: AbortSignal | undefined): Promise<void> {
  const ignore = onAbort(signal, () => void startable.stop())
  try {
    throwIfAborted(signal)
    await startable.start()
    throwIfAborted(signal)
  } catch (error) {
    await startable.stop()
    throwIfAborted(signal)
    throw error
  } finally {
    ignore()
  }
}
