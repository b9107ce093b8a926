// Ranges of a file on the hub, over HTTP.
import { pipe } from 'it-pipe'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { counted } from '../../common/files/byte-stages.ts'
import { second } from '../../common/units.ts'
import type { ByteSource } from '../partial/partial-file.ts'
import { hubFetch } from './hub-fetch.ts'
import type { HubSettings } from './options.ts'

/** Time without data after which a connection counts as broken. */
const stallMs = 30 * second

function refused(url: string, status: number): SwarmError {
  if (status === 401 || status === 403) {
    return new SwarmError('NOT_FOUND', `${url}: the hub denies access (${status}): check HF_TOKEN`)
  }
  if (status === 404) return new SwarmError('NOT_FOUND', `${url}: no such file`)
  return new SwarmError('UNREACHABLE', `${url}: the hub answers with status ${status}`, {
    retryable: status >= 500 || status === 429 || status === 408
  })
}

/** `size`: the hub's size of the whole file; an answer with another size is of another revision. */
export function hubSource(name: string, commit: string, file: string, size: number, settings: HubSettings): ByteSource {
  const { endpoint, token } = settings
  const url = `${endpoint}/${name}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`
  return {
    async *read({ start, end }, { signal }) {
      if (settings.offline) {
        throw new SwarmError('NOT_FOUND', `${name}: '${file}' is not (completely) in the cache, and offline mode is on`)
      }
      const stalled = new AbortController()
      const timer = setTimeout(() => stalled.abort(new Error(`no byte for ${stallMs / second} s`)), stallMs)
      try {
        const response = await hubFetch(url, {
          headers: {
            range: `bytes=${start}-${end - 1}`,
            'accept-encoding': 'identity',
            ...(token ? { authorization: `Bearer ${token}` } : {})
          },
          signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal
        })
        const said = response.headers.get('content-range')
        const whole = response.status === 200 && start === 0 && end === size
        if (!whole && (response.status !== 206 || said !== `bytes ${start}-${end - 1}/${size}`)) {
          await response.body?.cancel()
          if (!response.ok) throw refused(url, response.status)
          throw new SwarmError('BAD_CHECKPOINT', `${url}: expected bytes ${start}-${end - 1}/${size}, found ${said}`)
        }
        if (response.body !== null)
          yield* pipe(
            response.body,
            counted(() => timer.refresh())
          )
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof SwarmError) throw error
        throw new SwarmError('UNREACHABLE', `${url}: ${messageOf(error)}`, { cause: error })
      } finally {
        clearTimeout(timer)
      }
    }
  }
}
