// Whether the gateway lives, whether it can answer, and what it is doing: for load balancers, Prometheus and operators.
import { createRoute, z } from '@hono/zod-openapi'
import { Swarm } from '../../client/index.ts'
import { second } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { ApiError } from '../errors.ts'
import type { Served } from '../models/served-model.ts'
import type { GatewayContext, Routes } from './api.ts'

const tags = ['Gateway']

/** Load balancers ask often; the swarm is looked at this often. */
const lookEveryMs = 2 * second

const readiness = z.object({
  status: z.enum(['ready', 'not_ready']),
  models: z.array(z.object({ id: z.string(), ready: z.boolean(), problem: z.string().nullable() }))
})

type Readiness = z.infer<typeof readiness>

/** Whether servers cover all blocks of each model. Adapters are as ready as the model under them. */
async function lookAt(models: readonly Served[], signal: AbortSignal): Promise<Readiness> {
  const networks = new Set(models.map(({ model }) => model.network))
  const surveys = await Promise.all(
    [...networks].map(network => new Swarm(network).survey({ roundTrips: false, signal }).catch(() => []))
  )
  const found = new Map(surveys.flat().map(each => [each.identity, each]))
  const rows = models.map(({ id, model }) => {
    const state = found.get(model.identity)
    const problem = state === undefined ? 'no server announces this model' : (state.problem?.what ?? null)
    return { id, ready: problem === null, problem }
  })
  const isReady = rows.length > 0 && rows.every(({ ready }) => ready)
  return { status: isReady ? 'ready' : 'not_ready', models: rows }
}

/** The same, for some time from memory. */
function readinessOf({ models }: GatewayContext): () => Promise<Readiness> {
  let known: { at: number; found: Promise<Readiness> } | undefined
  return () => {
    if (known === undefined || performance.now() - known.at > lookEveryMs) {
      const found = lookAt(models.list(), AbortSignal.timeout(10 * second))
      known = { at: performance.now(), found }
    }
    return known.found
  }
}

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  tags,
  summary: 'Whether the gateway runs',
  responses: {
    200: {
      description: 'It runs',
      content: { 'application/json': { schema: z.object({ status: z.literal('ok'), version: z.string() }) } }
    }
  }
})

const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  tags,
  summary: 'Whether servers cover all blocks of every model',
  responses: {
    200: { description: 'Every model can answer', content: { 'application/json': { schema: readiness } } },
    503: { description: 'Some model cannot answer', content: { 'application/json': { schema: readiness } } }
  }
})

const statusBody = z.object({
  version: z.string(),
  uptime_seconds: z.number(),
  running: z.int(),
  queued: z.int(),
  models: z.array(z.string()),
  generation: z.object({
    speculate: z.int().nullable(),
    draft: z.string().nullable(),
    audit: z.number().nullable(),
    require_dtype: z.string().nullable(),
    codec: z.string().nullable()
  }),
  limits: z.object({
    max_concurrent: z.int(),
    max_queued: z.int(),
    requests_per_minute: z.int().nullable(),
    tokens_per_minute: z.int().nullable(),
    max_body_bytes: z.int()
  })
})

const statusRoute = createRoute({
  method: 'get',
  path: '/status',
  tags,
  summary: 'What the gateway does, and its settings',
  responses: {
    200: { description: 'The state just now', content: { 'application/json': { schema: statusBody } } }
  }
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags,
  summary: 'Metrics for Prometheus: for keys of operators; without keys, for this machine',
  responses: {
    200: { description: "Prometheus' text format", content: { 'text/plain': { schema: z.string() } } },
    403: { description: 'The caller is no operator' }
  }
})

export const healthRoutes: Routes = (api, context) => {
  const { models, settings, admission, metrics } = context
  const look = readinessOf(context)
  const started = performance.now()

  api.openapi(healthRoute, c => c.json({ status: 'ok' as const, version }, 200))

  api.openapi(readyRoute, async c => {
    const found = await look()
    // no new requests while the gateway stops
    const isReady = found.status === 'ready' && !admission.isClosed
    return c.json({ ...found, status: isReady ? ('ready' as const) : ('not_ready' as const) }, isReady ? 200 : 503)
  })

  api.openapi(statusRoute, c => {
    const { requireDtype, ...generation } = settings.generation
    return c.json(
      {
        version,
        uptime_seconds: Math.round((performance.now() - started) / second),
        running: admission.running,
        queued: admission.queued,
        models: models.list().map(({ id }) => id),
        generation: { ...generation, require_dtype: requireDtype },
        limits: {
          max_concurrent: settings.maxConcurrent,
          max_queued: settings.maxQueued,
          requests_per_minute: settings.requestsPerMinute,
          tokens_per_minute: settings.tokensPerMinute,
          max_body_bytes: settings.maxBodyBytes
        }
      },
      200
    )
  })

  api.openapi(metricsRoute, async c => {
    if (!c.get('caller').isOperator) {
      const who =
        settings.auth === 'keys'
          ? "metrics are shown to operators: use a key of 'swarm api keys create --operator'"
          : 'metrics are shown to this machine only: start the gateway with keys to read them from another'
      throw new ApiError(who, { status: 403, code: 'operators_only' })
    }
    return c.text(await metrics.page(), 200, { 'content-type': metrics.registry.contentType })
  })
}
