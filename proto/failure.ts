// Errors on the wire: code, message, whether a retry can help; never a stack.
import { type ErrorCode, errorCodes, SwarmError, toSwarmError } from '../common/errors.ts'
import { maxMessageLength } from './limits.ts'
import type { BodyOf, Message } from './messages.ts'

/** The frame that answers a request which failed. */
export function failureMessage(error: unknown): Message<'failure'> {
  const { code, message, retryable, retryAfterMs } = toSwarmError(error)
  const text = message.slice(0, maxMessageLength)
  return {
    body: { kind: 'failure', code, message: text, retryable, retryAfterMs: Math.ceil(retryAfterMs) },
    tensors: {}
  }
}

/** The error that a failure frame tells of; a code of a later version becomes INTERNAL, its name kept in the message. */
export function failureError(failure: BodyOf<'failure'>): SwarmError {
  const { code, retryable, retryAfterMs } = failure
  const message = failure.message.slice(0, maxMessageLength)
  if (Object.hasOwn(errorCodes, code)) return new SwarmError(code as ErrorCode, message, { retryable, retryAfterMs })
  return new SwarmError('INTERNAL', `${code.slice(0, 40)}: ${message}`, { retryable })
}
