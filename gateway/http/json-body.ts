// JSON bodies from strangers: limits on their bytes, time and depth; UTF-8; each key once.
import { messageOf } from '../../common/errors.ts'
import { parseForeignJson, stringEnd } from '../../common/foreign-json.ts'
import { formatBytes, second } from '../../common/units.ts'
import { ApiError, invalid } from '../errors.ts'

export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly bodyTimeoutMs: number
}

const tooLarge = (most: number): ApiError =>
  new ApiError(`the body is too large: expected at most ${formatBytes(most)} (${most} bytes)`, {
    status: 413,
    code: 'body_too_large'
  })

/** Throws ApiError 413 for a body that says itself that it is too large. */
export function checkLength(contentLength: string | undefined, most: number): void {
  if (contentLength !== undefined && Number(contentLength) > most) throw tooLarge(most)
}

/** Bytes of bodies of all requests that are not answered yet: a thousand slow or waiting ones must not fill the memory. */
export class BodyBudget {
  readonly #most: number
  #held = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Throws ApiError 503 where others hold too much; a body that is alone is always taken. */
  take(bytes: number, own: number): void {
    if (this.#held > own && this.#held + bytes > this.#most) {
      const message = `requests of others that are not answered yet hold ${formatBytes(this.#held - own)}: try again`
      throw new ApiError(message, { status: 503, code: bodiesFull, retryAfter: retryAfterSeconds })
    }
    this.#held += bytes
  }

  free(bytes: number): void {
    this.#held -= bytes
  }
}

const retryAfterSeconds = 2

/** Code of the error for a body that was not read to its end, for want of memory. */
export const bodiesFull = 'bodies_full'

/** All bytes of a body. Throws what `onBytes` throws of each piece's length; ApiError 413, 408 for one that does not arrive in time, 400 for one that is cut off. */
export async function readBody(
  body: ReadableStream<Uint8Array>,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
  onBytes: (length: number) => void = () => {}
): Promise<Uint8Array> {
  const reader = body.getReader()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const message = `the body did not arrive within ${bodyTimeoutMs / second} seconds`
    late.reject(new ApiError(message, { status: 408, code: 'body_timeout' }))
  }, bodyTimeoutMs)
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise])
      if (done) return Buffer.concat(pieces, length)
      length += value.length
      if (length > maxBodyBytes) throw tooLarge(maxBodyBytes)
      onBytes(value.length)
      pieces.push(value)
    }
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError(`the body was cut off after ${length} bytes`, {
      status: 400,
      code: 'body_cut_off',
      cause: error
    })
  } finally {
    clearTimeout(timer)
  }
}

/** Bytes as UTF-8. Throws ApiError 400. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ApiError('body: expected UTF-8, found bytes that are none', { status: 400, code: 'invalid_utf8', cause })
  }
}

/** Text between two places, as JSON reads it. */
const keyAt = (text: string, start: number, end: number): string => {
  const inside = text.slice(start + 1, end)
  return inside.includes('\\') ? (JSON.parse(text.slice(start, end + 1)) as string) : inside
}

/** Objects with up to this many keys are compared key by key; most bodies have no larger ones. */
const fewKeys = 8

/**
 * A key that stands twice in one object, or that is `__proto__`; null where there is none. JavaScript keeps the last of two values,
 * and the reader of a log the first.
 * @param text valid JSON
 */
function ambiguousKey(text: string): string | null {
  /** of each container that is open: its keys, null for arrays */
  const open: ({ few: string[]; many: Set<string> | null } | null)[] = []
  let isKey = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '{') {
      open.push({ few: [], many: null })
      isKey = true
    } else if (char === '[') {
      open.push(null)
      isKey = false
    } else if (char === '}' || char === ']') {
      open.pop()
      isKey = false
    } else if (char === ',') isKey = open.at(-1) !== null
    else if (char === '"') {
      const end = stringEnd(text, at)
      const keys = open.at(-1)
      if (isKey && keys !== null && keys !== undefined) {
        const key = keyAt(text, at, end)
        if (key === '__proto__') return key
        if (keys.many?.has(key) || (keys.many === null && keys.few.includes(key))) return key
        if (keys.many !== null) keys.many.add(key)
        else if (keys.few.push(key) > fewKeys) keys.many = new Set(keys.few)
        isKey = false
      }
      at = end
    }
  }
  return null
}

/** Room for a bias for each token of the largest vocabulary (262,144), and a conversation. Validation takes 10 µs a key. */
const maxKeys = 400_000

/** The value of a body. Throws ApiError 400 that says what is wrong with it. */
export function parseBody(bytes: Uint8Array): unknown {
  const text = decode(bytes)
  let value: unknown
  try {
    value = parseForeignJson(text, { keys: maxKeys })
  } catch (cause) {
    const found = text.trim() === '' ? 'found none' : messageOf(cause)
    throw new ApiError(`body: expected JSON: ${found}`, { status: 400, code: 'invalid_json', cause })
  }
  const key = ambiguousKey(text)
  if (key === '__proto__') throw invalid('body: the key __proto__ is not supported', null, 'invalid_json')
  if (key !== null)
    throw invalid(`body: the key ${JSON.stringify(key)} stands twice in one object`, key, 'invalid_json')
  return value
}

/** Bodies that are no JSON, and go to their routes as they are. */
const raw = /^(multipart\/form-data|application\/octet-stream|application\/jsonl|application\/x-ndjson|text\/csv)$/

/**
 * How a body is to be read by its content type. What has none, or what `curl -d` says, is JSON.
 * @throws ApiError 415 for a content type or charset that is not read
 */
export function kindOfBody(contentType: string | undefined, contentEncoding: string | undefined): 'json' | 'raw' {
  if (contentEncoding !== undefined && contentEncoding !== 'identity') {
    throw unsupported(`content-encoding: expected none, found ${contentEncoding}`)
  }
  const [type = '', ...parameters] = (contentType ?? '').split(';').map(part => part.trim().toLowerCase())
  if (raw.test(type)) return 'raw'
  const isJson = /^(application\/([\w.-]+\+)?json|text\/json|text\/plain|application\/x-www-form-urlencoded)?$/.test(
    type
  )
  if (!isJson) throw unsupported(`content-type: expected application/json, found ${type}`)
  const charset = parameters
    .find(each => each.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '')
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
    throw unsupported(`content-type: expected charset utf-8, found ${charset}`)
  }
  return 'json'
}

function unsupported(message: string): ApiError {
  return new ApiError(message, { status: 415, code: 'unsupported_media_type' })
}
