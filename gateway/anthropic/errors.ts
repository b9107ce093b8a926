// Errors as Anthropic's API tells them.
import type { ApiError } from '../errors.ts'

/** Anthropic's names of kinds of errors, and its status for what is overloaded. */
function kindOf({ status }: ApiError): { type: string; status: number } {
  if (status === 401) return { type: 'authentication_error', status }
  if (status === 403) return { type: 'permission_error', status }
  if (status === 404) return { type: 'not_found_error', status }
  if (status === 413) return { type: 'request_too_large', status }
  if (status === 429) return { type: 'rate_limit_error', status }
  if (status === 503) return { type: 'overloaded_error', status: 529 }
  return { type: status >= 500 ? 'api_error' : 'invalid_request_error', status }
}

export interface AnthropicError {
  readonly type: 'error'
  readonly error: { readonly type: string; readonly message: string }
  readonly request_id: string | null
}

/** The body and the status of an error. */
export function toAnthropicError(error: ApiError, requestId: string | null): { body: AnthropicError; status: number } {
  const { type, status } = kindOf(error)
  return { body: { type: 'error', error: { type, message: error.message }, request_id: requestId }, status }
}
