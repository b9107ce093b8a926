// Errors as the AI SDK knows them: it retries those that say so.
import { APICallError } from '@ai-sdk/provider'
import { toApiError } from '../errors.ts'

/** Of a call that a swarm answered with an error; an abort stays what it is. */
export function toSdkError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  const { message, status, code, param } = toApiError(error)
  return new APICallError({
    message,
    url: 'swarm:',
    requestBodyValues: {},
    statusCode: status,
    isRetryable: status === 429 || status === 503,
    data: { code, param },
    cause: error
  })
}
