// Requests of the page to its gateway, with the key of this tab. Nothing else in the page calls fetch.
import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream'
import { createStore } from './store.ts'

const keyName = 'swarmtune.key'

/** The key that requests carry; null: none. Kept until the tab is closed. */
export const apiKey = createStore<string | null>(sessionStorage.getItem(keyName))
apiKey.subscribe(key => {
  if (key === null) sessionStorage.removeItem(keyName)
  else sessionStorage.setItem(keyName, key)
})

/** Whether the gateway has refused the key, or that there is none. */
export const keyRefused = createStore(false)

/** What the gateway answered instead of a result. */
export class RequestError extends Error {
  readonly status: number
  readonly code: string | null
  constructor(message: string, status: number, code: string | null) {
    super(message)
    this.name = 'RequestError'
    this.status = status
    this.code = code
  }
}

async function toError(response: Response): Promise<RequestError> {
  const text = await response.text()
  let told: { message?: unknown; code?: unknown } | undefined
  try {
    told = (JSON.parse(text) as { error?: { message?: unknown; code?: unknown } }).error
  } catch {
    // a proxy in between answers in its own form
  }
  const message = typeof told?.message === 'string' ? told.message : `the gateway answered ${response.status}`
  return new RequestError(message, response.status, typeof told?.code === 'string' ? told.code : null)
}

/** Throws RequestError for every answer that is no success. */
async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = apiKey.get()
  if (key !== null) headers.set('Authorization', `Bearer ${key}`)
  let response: Response
  try {
    response = await fetch(path, { ...init, headers, credentials: 'same-origin', cache: 'no-store' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new RequestError('The gateway does not answer. Is it still running? Start it again, then retry.', 0, null)
  }
  if (response.ok) return response
  if (response.status === 401) keyRefused.set(true)
  throw await toError(response)
}

const withBody = (body: unknown): RequestInit =>
  body instanceof FormData
    ? { body }
    : body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request(path, { ...(signal && { signal }) })).json() as Promise<T>
}

/** @param body JSON, or a form with a file */
export async function send<T>(
  method: 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal
): Promise<T> {
  const response = await request(path, { method, ...withBody(body), ...(signal && { signal }) })
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** The bytes of a file that the gateway keeps. */
export async function getFile(path: string): Promise<Blob> {
  return (await request(path)).blob()
}

/** The server-sent events of an answer; of a POST where there is a body. */
export async function* events(path: string, signal: AbortSignal, body?: unknown): AsyncGenerator<EventSourceMessage> {
  const response = await request(path, { method: body === undefined ? 'GET' : 'POST', ...withBody(body), signal })
  const reader = response
    .body!.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>)
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** What a person is told of a failure. */
export const sentenceOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error)
  // the names of files, fields and models stay as they are
  return /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text
}
