// The error that a client of the API gets: a status, a type and a code as OpenAI names them. Dialects write it in their own form.
import { type ErrorCode, messageOf, SwarmError } from '../common/errors.ts'

export type ApiStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 421 | 429 | 500 | 501 | 503 | 507

/** OpenAI's names of kinds of errors */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'server_error'
  | 'service_unavailable_error'

export interface ApiErrorInit {
  readonly status: ApiStatus
  readonly type?: ApiErrorType
  /** for programs: `model_not_found`, `context_length_exceeded` */
  readonly code?: string | null
  /** field of the request, as `messages[1].content` */
  readonly param?: string | null
  /** seconds after which a retry is worth it */
  readonly retryAfter?: number
  readonly cause?: unknown
}

const typeOf = (status: ApiStatus): ApiErrorType => {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 429) return 'rate_limit_error'
  if (status === 503) return 'service_unavailable_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

/** What the caller is told. Its message says what, where, expected and found, and what to try; it never holds a prompt or a key. */
export class ApiError extends Error {
  readonly status: ApiStatus
  readonly type: ApiErrorType
  readonly code: string | null
  readonly param: string | null
  readonly retryAfter: number | undefined

  constructor(message: string, { status, type, code = null, param = null, retryAfter, cause }: ApiErrorInit) {
    super(message, { cause })
    this.name = 'ApiError'
    this.status = status
    this.type = type ?? typeOf(status)
    this.code = code
    this.param = param
    this.retryAfter = retryAfter
  }
}

/** A field that is wrong: 400. */
export function invalid(message: string, param: string | null = null, code: string | null = null): ApiError {
  return new ApiError(message, { status: 400, param, code })
}

const statuses: Partial<Record<ErrorCode, ApiStatus>> = {
  INVALID_ARGUMENT: 400,
  UNSUPPORTED: 400,
  NOT_FOUND: 404,
  BLOCKS_UNAVAILABLE: 503,
  BUSY: 503,
  DRAINING: 503,
  DEADLINE: 503,
  UNREACHABLE: 503,
  /** the caller left, or the gateway stops */
  ABORTED: 503,
  DISK_FULL: 507
}

/** Any error as what the caller is told. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (!(error instanceof SwarmError)) return new ApiError(messageOf(error), { status: 500, cause: error })
  const { code, message, retryAfterMs } = error
  const status = statuses[code] ?? 500
  const retryAfter = status === 503 ? Math.max(1, Math.ceil(retryAfterMs / 1000)) : undefined
  return new ApiError(message, { status, code: code.toLowerCase(), retryAfter, cause: error })
}
