// The whole API as one application: routes of all dialects over one context. Knows no socket.
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { toAnthropicError } from './anthropic/errors.ts'
import { messagesRoutes } from './anthropic/messages.ts'
import { modelsInAnthropicsForm } from './anthropic/models.ts'
import { consoleRoutes } from './console/routes.ts'
import { type ApiError, toApiError } from './errors.ts'
import { type Api, createApi, type GatewayContext, type Routes } from './http/api.ts'
import { documentRoute } from './http/openapi.ts'
import { ollamaRoutes } from './ollama/routes.ts'
import { fineTuningRoutes } from './openai/fine-tuning/routes.ts'
import { openaiRoutes } from './openai/routes.ts'

/** Every route, in one list. */
const routes: readonly Routes[] = [
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
    const told = toAnthropicError(error, c.get('requestId') ?? null)
    return c.json(told.body, told.status as ContentfulStatusCode)
  }
  return c.json({ error: { message, type, param, code } }, status)
}

export function createApp(context: GatewayContext): Api {
  const api = createApi()
  api.onError((error, c) => {
    const told = toApiError(error)
    if (told.status >= 500) context.logger.warn({ err: error, path: c.req.path }, 'a request failed')
    if (told.retryAfter !== undefined) c.header('Retry-After', String(told.retryAfter))
    return answerError(told, c)
  })
  for (const add of routes) add(api, context)
  documentRoute(api)
  return api
}
