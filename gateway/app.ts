// The whole API as one application: routes of all dialects over one context. Knows no socket.
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { methodNotAllowed } from 'hono/method-not-allowed'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { suggestion } from '../common/names.ts'
import { toAnthropicError } from './anthropic/errors.ts'
import { messagesRoutes } from './anthropic/messages.ts'
import { modelsInAnthropicsForm } from './anthropic/models.ts'
import { consoleRoutes } from './console/routes.ts'
import { ApiError, type ApiStatus, toApiError } from './errors.ts'
import { type Api, createApi, type GatewayContext, type Routes } from './http/api.ts'
import { healthRoutes } from './http/health.ts'
import { bodiesFull } from './http/json-body.ts'
import { documentRoute } from './http/openapi.ts'
import { usePipeline } from './http/pipeline.ts'
import { ollamaRoutes } from './ollama/routes.ts'
import { fineTuningRoutes } from './openai/fine-tuning/routes.ts'
import { openaiRoutes } from './openai/routes.ts'

/** Every route, in one list. */
const routes: readonly Routes[] = [
  healthRoutes,
  ollamaRoutes,
  consoleRoutes,
  modelsInAnthropicsForm,
  openaiRoutes,
  fineTuningRoutes,
  messagesRoutes
]

/** An error as each dialect writes it, by its path and the headers of its clients. */
function answerError(error: ApiError, c: Context): Response {
  const { message, type, param, code, status } = error
  const { path } = c.req
  if (path.startsWith('/api/')) return c.json({ error: message }, status)
  if (path.startsWith('/v1/messages') || c.req.header('anthropic-version') !== undefined) {
    const requestId = c.get('requestId') ?? null
    const told = toAnthropicError(error, requestId)
    if (requestId !== null) c.header('request-id', requestId)
    return c.json(told.body, told.status as ContentfulStatusCode)
  }
  return c.json({ error: { message, type, param, code } }, status)
}

/** An error as ours; hono throws its own for bodies that its validators cannot read. */
function errorOf(error: unknown): ApiError {
  if (!(error instanceof HTTPException)) return toApiError(error)
  // other bodies have been read before
  if (error.status === 400)
    return new ApiError('body: expected JSON, found none', { status: 400, code: 'invalid_json' })
  return new ApiError(error.message, { status: error.status as ApiStatus, cause: error })
}

/** A path that does not exist, with one that does and is near. */
function notFound(c: Context, paths: readonly string[]): ApiError {
  const { method, path } = c.req
  return new ApiError(`no such path: ${method} ${path.slice(0, 200)}${suggestion(path, paths)}`, {
    status: 404,
    code: 'unknown_path'
  })
}

export function createApp(context: GatewayContext): Api {
  const api = createApi()
  api.onError((error, c) => {
    const told = errorOf(error)
    const scope = c.get('scope')
    scope?.failed(told.code ?? told.type)
    const hasLeft = scope?.abort.signal.aborted ?? false
    if (told.status >= 500 && told.status !== 501 && told.status !== 503 && !hasLeft) {
      context.logger.warn({ err: error, id: scope?.id, path: c.req.path }, 'a request failed')
    }
    if (told.retryAfter !== undefined) c.header('Retry-After', String(told.retryAfter))
    if (told.status === 401) c.header('WWW-Authenticate', 'Bearer')
    // what is left of its body is not read
    if (told.status === 413 || told.status === 408 || told.code === bodiesFull) c.header('Connection', 'close')
    return answerError(told, c)
  })
  const paths = (): string[] => [
    ...new Set(api.routes.filter(({ method }) => method !== 'ALL').map(({ path }) => path))
  ]
  api.notFound(c => answerError(notFound(c, paths()), c))
  api.use(
    methodNotAllowed({
      app: api,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(', ')
        c.header('Allow', allow)
        if (c.req.method === 'OPTIONS') return c.body(null, 204)
        const message = `${c.req.method} is not possible for ${c.req.path}: expected ${allow}`
        return answerError(new ApiError(message, { status: 405, code: 'method_not_allowed' }), c)
      }
    })
  )
  usePipeline(api, context)
  for (const add of routes) add(api, context)
  documentRoute(api)
  return api
}
