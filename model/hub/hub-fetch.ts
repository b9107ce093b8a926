// HTTP requests to the hub: restricts redirects and the size of answers.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'

const maxRedirects = 10
const isRedirect: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** A retry would return the same answer. */
const misled = (message: string): SwarmError => new SwarmError('UNREACHABLE', message, { retryable: false })

/** Throws UNREACHABLE unless the address is on the hub's own host, or on any host by https. */
function checkTarget(target: URL, from: URL): void {
  const isSameHost = target.host === from.host && target.protocol === from.protocol
  if (isSameHost || target.protocol === 'https:') return
  const expected = `expected https, or ${from.protocol}//${from.host} again`
  throw misled(`${from.href}: the hub redirects to ${target.href}: ${expected}`)
}

export interface HubFetchInit {
  readonly headers?: ConstructorParameters<typeof Headers>[0]
  readonly signal?: AbortSignal
}

/**
 * GET with redirects followed by hand: to https or to the same host only, the access token to the same host only.
 * Throws UNREACHABLE for any other redirect, and for too many.
 */
export async function hubFetch(url: string, { headers, signal }: HubFetchInit = {}): Promise<Response> {
  const sent = new Headers(headers)
  let at = new URL(url)
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await fetch(at.href, { headers: sent, signal, redirect: 'manual' })
    const location = isRedirect.has(response.status) ? response.headers.get('location') : null
    if (location === null) return response
    await response.body?.cancel()
    if (!URL.canParse(location, at.href)) {
      throw misled(`${at.href}: the hub redirects to ${quoteForeign(location)}`)
    }
    const target = new URL(location, at)
    checkTarget(target, at)
    if (target.origin !== at.origin) sent.delete('authorization')
    at = target
  }
  throw misled(`${url}: the hub redirects more than ${maxRedirects} times`)
}

/** What keeps an answer from leading elsewhere: a list of files goes on at the hub itself. Throws UNREACHABLE. */
export function checkSameOrigin(url: string, origin: string, where: string): void {
  if (new URL(url).origin !== origin) throw misled(`${where}: its list of files goes on at ${url}: expected ${origin}`)
}

/** The same answer, whose body ends with an error once it is longer than `maxBytes`. */
export function bounded(response: Response, maxBytes: number, url: string): Response {
  if (response.body === null) return response
  let bytes = 0
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length
      if (bytes > maxBytes) {
        controller.error(new SwarmError('BAD_CHECKPOINT', `${url}: expected at most ${maxBytes} bytes, found more`))
      } else {
        controller.enqueue(chunk)
      }
    }
  })
  const { status, statusText, headers } = response
  return new Response(response.body.pipeThrough(count), { status, statusText, headers })
}
