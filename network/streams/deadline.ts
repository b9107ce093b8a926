// Combines a caller's abort signal and a time limit; the reason names the operation.
import { SwarmError } from '../../common/errors.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
}

/** For `withResource`, so that the timer ends with the work. The reason is a SwarmError DEADLINE. */
export function startDeadline(timeoutMs: number, what: string, signal?: AbortSignal): Deadline {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(new SwarmError('DEADLINE', `${what} took longer than ${timeoutMs} ms`))
  }, timeoutMs)
  return {
    signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal,
    [Symbol.dispose]: () => clearTimeout(timer)
  }
}
