// Who asks: the key of a request, and what needs none.
import { ApiError } from '../errors.ts'
import type { ApiKey, KeyStore } from '../storage/keys.ts'
import { isLoopbackAddress, type Origin } from './origin.ts'

/** Paths that show no data and need no key: health checks, and the files of the page, which asks for a key itself. */
const publicPaths = /^\/(?:healthz|readyz|favicon\.ico|console(?:\/(?!api\/).*)?)?$/

export function isPublic(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && publicPaths.test(path)
}

/** The key as OpenAI's clients send it (`Authorization: Bearer`), or as Anthropic's do (`x-api-key`); null where there is none. */
export function apiKeyOf(header: (name: string) => string | undefined): string | null {
  const bearer = /^bearer\s+(\S+)\s*$/i.exec(header('authorization') ?? '')?.[1]
  return bearer ?? header('x-api-key')?.trim() ?? null
}

const refused = (message: string): ApiError =>
  new ApiError(message, { status: 401, type: 'authentication_error', code: 'invalid_api_key' })

/**
 * The record of the key that a request brings; null where it brings none and none is needed.
 * @throws ApiError 401 where one is needed
 */
export function authenticate(key: string | null, keys: KeyStore, needed: boolean): ApiKey | null {
  // clients insist on a key; where none is needed any text will do
  const record = key === null ? null : keys.recognize(key)
  if (record !== null || !needed) return record
  throw refused(
    key === null
      ? "no API key: send 'Authorization: Bearer sk-swarm-…'; 'swarm api keys create' makes one"
      : "the API key is not valid: it is mistyped or was revoked; 'swarm api keys list' shows those that are valid"
  )
}

/**
 * Whether a request may see keys, requests of others and metrics: with a key of an operator, or, where none is needed, from this machine
 * and not through a proxy.
 */
export function isOperator(record: ApiKey | null, needed: boolean, { client, isForwarded }: Origin): boolean {
  if (record?.operator) return true
  return !needed && !isForwarded && isLoopbackAddress(client)
}
