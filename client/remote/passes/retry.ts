// Retries failed attempts. Knows neither servers nor requests.
import { delay, throwIfAborted } from '../../../common/async.ts'
import { messageOf, type SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { second } from '../../../common/units.ts'

/** How long to wait before each further try: a first one at once, since another server may be there. */
export const defaultRetryDelaysMs: readonly number[] = [0, 1 * second, 2 * second, 4 * second]

export interface RetryOptions {
  readonly delaysMs: readonly number[]
  readonly logger?: Logger
  readonly signal?: AbortSignal
}

/** The result of the first try that succeeds. Throws the last error, or at once one that no further try can help. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { delaysMs, logger, signal } = options
  for (let tries = 0; ; tries++) {
    throwIfAborted(signal)
    try {
      return await attempt()
    } catch (thrown) {
      throwIfAborted(signal)
      const error: SwarmError = toSwarmError(thrown)
      const wait = delaysMs[tries]
      if (!error.retryable || wait === undefined) throw error
      logger?.debug({ code: error.code, tries: tries + 1, waitMs: wait }, `tries again after: ${messageOf(error)}`)
      await delay(wait, signal)
    }
  }
}
