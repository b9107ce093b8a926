// The whole API as one application: routes of all dialects over one context. Knows no socket.
import { type ApiError, toApiError } from './errors.ts'
import { type Api, createApi, type GatewayContext, type Routes } from './http/api.ts'
import { chatRoutes } from './openai/chat.ts'
import { modelRoutes } from './openai/models.ts'

/** Every route, in one list. */
const routes: readonly Routes[] = [modelRoutes, chatRoutes]

/** An error as each dialect writes it, by its path. */
function bodyOf({ message, type, param, code }: ApiError, path: string): object {
  if (path.startsWith('/api/')) return { error: message }
  if (path.startsWith('/v1/messages')) return { type: 'error', error: { type, message } }
  return { error: { message, type, param, code } }
}

export function createApp(context: GatewayContext): Api {
  const api = createApi()
  api.onError((error, c) => {
    const told = toApiError(error)
    if (told.status >= 500) context.logger.warn({ err: error, path: c.req.path }, 'a request failed')
    if (told.retryAfter !== undefined) c.header('Retry-After', String(told.retryAfter))
    return c.json(bodyOf(told, c.req.path), told.status)
  })
  for (const add of routes) add(api, context)
  return api
}
