// What the operator sees: keys, requests, usage and log lines. Others get 403.
import { createRoute, z } from '@hono/zod-openapi'
import { ApiError } from '../errors.ts'
import type { ApiVariables, Routes } from '../http/api.ts'
import { dailyUsageSchema, keySchema, logLineSchema, requestSchema } from './operator-schema.ts'

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } }
})

const keysRoute = createRoute({
  method: 'get',
  path: '/console/api/keys',
  responses: {
    200: json(
      z.object({ needed: z.boolean().describe('whether requests need a key'), keys: z.array(keySchema) }),
      'All keys, also revoked ones; none shows its secret'
    )
  }
})

const createKeyRoute = createRoute({
  method: 'post',
  path: '/console/api/keys',
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            name: z.string().min(1).max(100),
            requestsPerMinute: z.int().min(1).optional(),
            tokensPerMinute: z.int().min(1).optional(),
            operator: z.boolean().optional()
          })
        }
      }
    }
  },
  responses: { 200: json(z.object({ record: keySchema, key: z.string() }), 'The key, which is shown this once') }
})

const revokeKeyRoute = createRoute({
  method: 'delete',
  path: '/console/api/keys/{id}',
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json(keySchema, 'The key, which is not valid any more') }
})

const requestsRoute = createRoute({
  method: 'get',
  path: '/console/api/requests',
  request: { query: z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(200) }) },
  responses: {
    200: json(
      z.object({ requests: z.array(requestSchema), usage: z.array(dailyUsageSchema) }),
      'The latest requests, and usage by day'
    )
  }
})

const logsRoute = createRoute({
  method: 'get',
  path: '/console/api/logs',
  responses: { 200: json(z.object({ lines: z.array(logLineSchema) }), 'The latest log lines, the oldest first') }
})

/** @throws ApiError 403 */
function onlyOperator({ isOperator }: ApiVariables['caller']): void {
  if (isOperator) return
  throw new ApiError(
    "this is for the operator: use a key made with 'swarm api keys create --operator', or open the page on the gateway's own machine",
    { status: 403, code: 'operator_only' }
  )
}

export const operatorRoutes: Routes = (api, { store, settings, logger }) => {
  api.openapi(keysRoute, c => {
    onlyOperator(c.get('caller'))
    return c.json({ needed: settings.auth === 'keys', keys: store.keys.list() }, 200)
  })
  api.openapi(createKeyRoute, c => {
    onlyOperator(c.get('caller'))
    return c.json(store.keys.create(c.req.valid('json')), 200, { 'Cache-Control': 'no-store' })
  })
  api.openapi(revokeKeyRoute, c => {
    onlyOperator(c.get('caller'))
    return c.json(store.keys.revoke(c.req.valid('param').id), 200)
  })
  api.openapi(requestsRoute, c => {
    onlyOperator(c.get('caller'))
    const { limit } = c.req.valid('query')
    return c.json({ requests: store.requests.recent(limit), usage: store.requests.usage() }, 200)
  })
  api.openapi(logsRoute, c => {
    onlyOperator(c.get('caller'))
    return c.json({ lines: [...logger.lines] }, 200)
  })
}
