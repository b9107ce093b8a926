// The steps of every request before its route: id, origin, key, rate limits, body, turn.
import type { Context, Next } from 'hono'
import { cors } from 'hono/cors'
import { onAbort } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'
import { ApiError } from '../errors.ts'
import { withMeter } from '../models/meter.ts'
import type { Api, ApiEnv, GatewayContext } from './api.ts'
import { apiKeyOf, authenticate, isOperator, isPublic } from './auth.ts'
import { BodyBudget, checkLength, kindOfBody, parseBody, readBody } from './json-body.ts'
import { addressList, arrivalOrigin, isAllowedOrigin, isOwnHost, nameOfHost } from './origin.ts'
import { formatReset, type LimitState } from './rate-limits.ts'
import { RequestScope } from './scope.ts'

/** Requests to these generate: they are limited, and wait for their turn. */
const generating = new Set([
  ...['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/embeddings', '/v1/messages'],
  ...['/api/chat', '/api/generate', '/api/embed', '/api/embeddings']
])

const isGenerating = (c: Context): boolean => c.req.method === 'POST' && generating.has(c.req.path)

/** Status of a request whose client left before the end, as nginx logs it. */
const clientLeft = 499

/** most characters of a path that are kept */
const maxPath = 200

type Dialect = 'openai' | 'anthropic' | 'ollama' | 'gateway'

/** The API that a path belongs to. */
function dialectOf(path: string): Dialect {
  if (path.startsWith('/v1/messages')) return 'anthropic'
  if (path.startsWith('/v1/')) return 'openai'
  return path.startsWith('/api/') ? 'ollama' : 'gateway'
}

/** A header, and for the host of a request that came over no socket the host of its URL. */
function headerOf(c: Context): (name: string) => string | undefined {
  return name => c.req.header(name) ?? (name === 'host' ? URL.parse(c.req.url)?.host : undefined)
}

/** Keeps what is known of a request that has ended. Knows none of its content. */
function keep(
  scope: RequestScope,
  { method, path }: { method: string; path: string },
  status: number,
  context: GatewayContext
) {
  const { id, time, keyId, model, promptTokens, completionTokens, firstTokenMs, elapsedMs: durationMs } = scope
  // what a generation says when its signal aborts
  const hasLeft = status === clientLeft && (scope.code ?? 'aborted') === 'aborted'
  const code = hasLeft ? 'client_left' : scope.code
  const dialect = dialectOf(path)
  context.limits.spend(scope.caller, promptTokens + completionTokens)
  context.metrics.count({
    ...{ dialect, model: model ?? '', status, code, promptTokens, completionTokens, firstTokenMs, durationMs }
  })
  const about = { id, method, path: path.slice(0, maxPath), status, code, model, keyId, promptTokens, completionTokens }
  context.logger.debug({ ...about, firstTokenMs, milliseconds: Math.round(durationMs) }, 'request')
  if (dialect === 'gateway') return
  try {
    context.store.requests.add({ ...about, time, firstTokenMs, durationMs })
  } catch (error) {
    // the answer has been given: a full disk takes nothing from it
    context.logger.warn({ id, reason: messageOf(error) }, 'a request could not be recorded')
  }
}

/** A request with another body, or none. It has the signal of its scope: listeners of a signal of its own would stay. */
function requestIn({ abort }: RequestScope, url: string, init: RequestInit): Request {
  return Object.defineProperty(new Request(url, init), 'signal', { value: abort.signal })
}

/** Follows a request to the end of its answer, which for a stream is long after its handler has returned. */
function observe(context: GatewayContext) {
  const trusted = addressList(context.settings.trustedProxies)
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const { incoming, outgoing } = c.env ?? {}
    const { method, path } = c.req
    const socket = incoming?.socket
    const isEncrypted = socket !== undefined && 'encrypted' in socket && socket.encrypted === true
    const arrival = { peer: socket?.remoteAddress ?? '127.0.0.1', isEncrypted, header: headerOf(c) }
    const scope = new RequestScope(c.req.header('x-request-id'), arrivalOrigin(arrival, trusted), {
      watches: method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
    })
    c.set('scope', scope)
    c.set('requestId', scope.id)
    c.set('caller', { keyId: null, isOperator: false })
    context.open.add(scope)
    const leave = (): void => scope.abort.abort(new SwarmError('ABORTED', 'the client has left'))
    // Node keeps a signal that follows others for as long as it has listeners
    if (outgoing === undefined) scope.onEnd(onAbort(c.req.raw.signal, leave))
    else {
      outgoing.once('close', () => {
        if (!outgoing.writableFinished) leave()
      })
    }
    let status: number | undefined
    scope.onEnd(() => keep(scope, { method, path }, status ?? c.res.status, context))
    try {
      await withMeter(scope, next)
    } catch (error) {
      scope.end()
      throw error
    }
    c.res.headers.set('x-request-id', scope.id)
    if (outgoing !== undefined) {
      const end = (): void => {
        if (!outgoing.writableFinished) status = clientLeft
        scope.end()
      }
      if (outgoing.closed) end()
      else outgoing.once('close', end)
    } else if (/^(text\/event-stream|application\/x-ndjson)/.test(c.res.headers.get('content-type') ?? '')) {
      const end = { flush: () => scope.end(), cancel: () => scope.end() }
      c.res = new Response(c.res.body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(end)), c.res)
    } else scope.end()
  }
}

/** Refuses requests of other sites' pages, sent directly or through a host name of theirs. */
function guard({ settings }: GatewayContext) {
  const { allowedHosts, cors: origins } = settings
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const { origin } = c.get('scope')
    const { host } = origin
    // the web's Request knows none of these
    if (/^(?:TRACE|TRACK|CONNECT)$/i.test(c.req.method)) {
      throw new ApiError(`${c.req.method} is not possible here`, { status: 405, code: 'method_not_allowed' })
    }
    if (allowedHosts !== null && !(host !== null && isOwnHost(host, allowedHosts))) {
      const name = host === null ? '' : nameOfHost(host)
      throw new ApiError(
        `the host '${name}' is not known here: start the gateway with --allowed-hosts ${name}, or use its address`,
        { status: 421, code: 'unknown_host' }
      )
    }
    const page = c.req.header('origin')
    if (page !== undefined && !isAllowedOrigin(page, origin, origins)) {
      throw new ApiError(`pages of ${page} may not use this gateway: start it with --cors ${page} to allow that`, {
        status: 403,
        code: 'origin_not_allowed'
      })
    }
    await next()
  }
}

/** Who asks. */
function identify({ settings, store, logger }: GatewayContext) {
  const needed = settings.auth === 'keys'
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const { method, path } = c.req
    const scope = c.get('scope')
    const isFree = method === 'OPTIONS' || isPublic(method, path)
    const key = apiKeyOf(name => c.req.header(name))
    const record = authenticate(key, store.keys, needed && !isFree)
    if (record !== null) {
      scope.keyId = record.id
      scope.caller = record.id
      c.set('key', record)
      try {
        store.keys.touch(record)
      } catch (error) {
        logger.warn({ reason: messageOf(error) }, 'the use of a key could not be recorded')
      }
    }
    c.set('caller', { keyId: record?.id ?? null, isOperator: isOperator(record, needed, scope.origin) })
    await next()
  }
}

function setLimitHeaders(c: Context, kind: 'requests' | 'tokens', state: LimitState | null): void {
  if (state === null) return
  c.header(`x-ratelimit-limit-${kind}`, String(state.limit))
  c.header(`x-ratelimit-remaining-${kind}`, String(state.remaining))
  c.header(`x-ratelimit-reset-${kind}`, formatReset(state.resetMs))
}

/** Requests and tokens a minute. */
function limit({ settings, limits }: GatewayContext) {
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const scope = c.get('scope')
    const key = c.get('key')
    const state = limits.take(scope.caller, {
      requestsPerMinute: key?.requestsPerMinute ?? settings.requestsPerMinute,
      tokensPerMinute: key?.tokensPerMinute ?? settings.tokensPerMinute
    })
    setLimitHeaders(c, 'requests', state.requests)
    setLimitHeaders(c, 'tokens', state.tokens)
    if (state.refusedBy !== null) {
      const most = state[state.refusedBy]!.limit
      throw new ApiError(
        `the limit of ${most} ${state.refusedBy} a minute is reached: wait ${formatReset(state.waitMs)}`,
        {
          status: 429,
          code: 'rate_limit_exceeded',
          retryAfter: Math.ceil(state.waitMs / second)
        }
      )
    }
    await next()
  }
}

/** Reads a whole body first, so that a slow sender holds no turn; routes read uploaded files themselves. */
function readBodies({ settings }: GatewayContext) {
  const budget = new BodyBudget(settings.maxBodiesBytes)
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const { raw } = c.req
    const { method, url, headers, body } = raw
    const scope = c.get('scope')
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return await next()
    const length = headers.get('content-length') ?? undefined
    const kind = kindOfBody(headers.get('content-type') ?? undefined, headers.get('content-encoding') ?? undefined)
    if (kind === 'raw') {
      checkLength(length, settings.maxUploadBytes)
      c.req.raw = requestIn(scope, url, {
        ...{ method, headers, duplex: 'half' },
        body: body?.pipeThrough(atMost(settings.maxUploadBytes)) ?? null
      } as RequestInit)
      return await next()
    }
    checkLength(length, settings.maxBodyBytes)
    let held = 0
    scope.onEnd(() => budget.free(held))
    const bytes =
      body === null
        ? new Uint8Array()
        : await readBody(body, settings, length => {
            budget.take(length, held)
            held += length
          })
    const own = new Headers(headers)
    c.req.raw = requestIn(scope, url, { method, headers: own })
    if (bytes.length > 0) {
      own.set('content-type', 'application/json')
      c.req.raw = requestIn(scope, url, { method, headers: own })
      const value = parseBody(bytes)
      // it has been read: what handlers ask for is its value
      c.req.json = async <Value>() => value as Value
      c.req.text = async () => JSON.stringify(value)
    }
    await next()
  }
}

/** Passes bytes on, up to a limit. */
function atMost(most: number): TransformStream<Uint8Array, Uint8Array> {
  let length = 0
  return new TransformStream({
    transform(piece, controller) {
      length += piece.length
      checkLength(String(length), most)
      controller.enqueue(piece)
    }
  })
}

/** Waits for a turn to generate. */
function admit({ admission }: GatewayContext) {
  return async (c: Context<ApiEnv>, next: Next): Promise<void> => {
    const scope = c.get('scope')
    const leave = await admission.enter(scope.caller, scope.abort.signal)
    scope.onEnd(leave)
    await next()
  }
}

const exposedHeaders = [
  ...['requests', 'tokens'].flatMap(kind => ['limit', 'remaining', 'reset'].map(what => `x-ratelimit-${what}-${kind}`)),
  ...['x-request-id', 'request-id', 'retry-after']
]

/** Adds what comes before all routes. */
export function usePipeline(api: Api, context: GatewayContext): void {
  const { cors: origins } = context.settings
  api.use(observe(context))
  // for load balancers, by whichever name they know us
  const guarding = guard(context)
  api.use((c, next) => (c.req.path === '/healthz' || c.req.path === '/readyz' ? next() : guarding(c, next)))
  if (origins.length > 0) {
    const origin = origins.includes('*') ? '*' : [...origins]
    api.use(cors({ origin, exposeHeaders: exposedHeaders, maxAge: 600 }))
  }
  api.use(identify(context))
  const [limiting, reading, admitting] = [limit(context), readBodies(context), admit(context)]
  api.use((c, next) => (isGenerating(c) ? limiting(c, next) : next()))
  api.use(reading)
  api.use((c, next) => (isGenerating(c) ? admitting(c, next) : next()))
}
