// OpenAI's fine-tuning jobs.
import { createRoute, z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import { ApiError } from '../../errors.ts'
import type { Routes } from '../../http/api.ts'
import { requestAbort, streamEvents } from '../../http/sse.ts'
import { jobCheckpoints } from '../../jobs/results.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import type { ServedAdapter } from '../../jobs/serving.ts'
import { errorMessage } from '../chat-answer.ts'
import {
  checkpointId,
  checkpointObject,
  createJobBody,
  eventObject,
  jobObject,
  toCheckpoint,
  toEvent,
  toJob,
  toJobRequest
} from './schema.ts'

export const jobPath = '/v1/fine_tuning/jobs/{fine_tuning_job_id}'
export const jobParams = z.object({ fine_tuning_job_id: z.string() })
export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } }
})

const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean()
  })

function toList<Item extends { readonly id: string }>(data: readonly Item[], hasMore: boolean) {
  const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
  return { object: 'list' as const, data: [...data], ...ends, has_more: hasMore }
}

const limit = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual)

const createJobRoute = createRoute({
  method: 'post',
  path: '/v1/fine_tuning/jobs',
  request: { body: { required: true, content: { 'application/json': { schema: createJobBody } } } },
  responses: { 200: json(jobObject, 'The job; its files are being validated') }
})

/** `?metadata[team]=lab`, as OpenAI's clients write it. */
const metadataKey = /^metadata\[(.+)\]$/

const listRoute = createRoute({
  method: 'get',
  path: '/v1/fine_tuning/jobs',
  request: { query: z.object({ after: z.string().optional(), limit: limit(100, 20) }).catchall(z.string()) },
  responses: { 200: json(listOf(jobObject), 'The jobs, the newest first, a page at a time') }
})

const getRoute = createRoute({
  method: 'get',
  path: jobPath,
  request: { params: jobParams },
  responses: { 200: json(jobObject, 'The job') }
})

const cancelRoute = createRoute({
  method: 'post',
  path: `${jobPath}/cancel`,
  request: { params: jobParams },
  responses: { 200: json(jobObject, 'The job, which has ended; its checkpoints stay') }
})

const pauseRoute = createRoute({
  method: 'post',
  path: `${jobPath}/pause`,
  request: { params: jobParams },
  responses: { 200: json(jobObject, 'The job, after a checkpoint') }
})

const resumeRoute = createRoute({
  method: 'post',
  path: `${jobPath}/resume`,
  request: {
    params: jobParams,
    query: z.strictObject({
      step: z.coerce.number().int().min(1).optional().describe('of the checkpoint to go on from; default: the newest')
    })
  },
  responses: { 200: json(jobObject, 'The job, which is queued') }
})

const deleteRoute = createRoute({
  method: 'delete',
  path: jobPath,
  request: { params: jobParams },
  responses: {
    200: json(
      z.object({ id: z.string(), object: z.literal('fine_tuning.job'), deleted: z.literal(true) }),
      'The job, its checkpoints and its model are gone'
    )
  }
})

const eventsRoute = createRoute({
  method: 'get',
  path: `${jobPath}/events`,
  request: {
    params: jobParams,
    query: z.strictObject({
      after: z.string().optional(),
      limit: limit(100, 20),
      stream: z.enum(['true', 'false']).optional().describe('true: events from the first on, as they come')
    })
  },
  responses: {
    200: {
      description:
        'Events of the job, the newest first, a page at a time; or all of them as they come, the oldest first',
      content: {
        'application/json': { schema: listOf(eventObject) },
        'text/event-stream': { schema: z.string() }
      }
    }
  }
})

const checkpointsRoute = createRoute({
  method: 'get',
  path: `${jobPath}/checkpoints`,
  request: { params: jobParams, query: z.strictObject({ after: z.string().optional(), limit: limit(100, 10) }) },
  responses: { 200: json(listOf(checkpointObject), 'Checkpoints that are kept, the newest first') }
})

const deleteModelRoute = createRoute({
  method: 'delete',
  path: '/v1/models/{model}',
  request: { params: z.object({ model: z.string() }) },
  responses: {
    200: json(
      z.object({ id: z.string(), object: z.literal('model'), deleted: z.literal(true) }),
      'The model is no longer served'
    )
  }
})

const eventsAtOnce = 100

/** Events from the one after `after` on, then those that come, until the job has ended. */
async function* eventMessages(
  jobs: JobRunner,
  id: string,
  after: string | undefined,
  signal: AbortSignal
): AsyncGenerator<SSEMessage> {
  const changes = jobs.ledger.watch(id, signal)
  const told = new Set<string>()
  const message = (event: Parameters<typeof toEvent>[0]): SSEMessage => ({
    id: event.id,
    data: JSON.stringify(toEvent(event))
  })
  try {
    for (let from = after; ; ) {
      const { data, hasMore } = jobs.ledger.events(id, { after: from, limit: eventsAtOnce, order: 'asc' })
      for (const event of data) {
        told.add(event.id)
        yield message(event)
      }
      from = data.at(-1)?.id ?? from
      if (!hasMore) break
    }
    for await (const change of changes) {
      if (change.type === 'event' && !told.has(change.event.id)) yield message(change.event)
    }
    yield { data: '[DONE]' }
  } finally {
    await changes.return(undefined)
  }
}

export const fineTuningJobRoutes: Routes = (api, { jobs, models, open, logger }) => {
  /** Frees the memory of adapters once the requests that use them have ended. */
  const release = (adapters: readonly ServedAdapter[]): void => {
    const unload = async (): Promise<void> => {
      await Promise.all(adapters.map(({ id }) => open.unused(id)))
      for (const model of new Set(adapters.map(adapter => adapter.model))) await model.unload()
    }
    unload().catch(error => logger.warn({ err: error }, 'an adapter could not be released'))
  }

  api.openapi(createJobRoute, async c => c.json(toJob(await jobs.create(toJobRequest(c.req.valid('json')))), 200))

  api.openapi(listRoute, c => {
    const { after, limit: most, ...others } = c.req.valid('query')
    const metadata: Record<string, string> = {}
    for (const [name, value] of Object.entries(others)) {
      const key = metadataKey.exec(name)?.[1]
      if (key === undefined) throw new ApiError(`unsupported parameter ${name}`, { status: 400, param: name })
      metadata[key] = value as string
    }
    const { data, hasMore } = jobs.ledger.list({ after: after as string | undefined, limit: most, metadata })
    return c.json(toList(data.map(toJob), hasMore), 200)
  })

  api.openapi(getRoute, c => c.json(toJob(jobs.ledger.get(c.req.valid('param').fine_tuning_job_id)), 200))

  api.openapi(cancelRoute, async c => c.json(toJob(await jobs.cancel(c.req.valid('param').fine_tuning_job_id)), 200))

  api.openapi(pauseRoute, async c => c.json(toJob(await jobs.pause(c.req.valid('param').fine_tuning_job_id)), 200))

  api.openapi(resumeRoute, async c => {
    const { step } = c.req.valid('query')
    return c.json(toJob(await jobs.resume(c.req.valid('param').fine_tuning_job_id, step)), 200)
  })

  api.openapi(deleteRoute, async c => {
    const { fine_tuning_job_id: id } = c.req.valid('param')
    release(await jobs.remove(id))
    return c.json({ id, object: 'fine_tuning.job' as const, deleted: true as const }, 200)
  })

  api.openapi(eventsRoute, async c => {
    const { fine_tuning_job_id: id } = c.req.valid('param')
    const { after, limit: most, stream } = c.req.valid('query')
    if (stream === 'true') {
      const { signal, abort } = requestAbort(c)
      const messages = eventMessages(jobs, id, c.req.header('last-event-id') ?? after, signal)
      return (await streamEvents(c, messages, { onError: errorMessage, abort })) as never
    }
    const { data, hasMore } = jobs.ledger.events(id, { after, limit: most })
    return c.json(toList(data.map(toEvent), hasMore), 200)
  })

  api.openapi(checkpointsRoute, async c => {
    const job = jobs.ledger.get(c.req.valid('param').fine_tuning_job_id)
    const { after, limit: most } = c.req.valid('query')
    const all = await jobCheckpoints(jobs.folders.of(job.id))
    const at = after === undefined ? -1 : all.findIndex(({ step }) => checkpointId(job, step) === after)
    if (after !== undefined && at === -1) {
      throw new ApiError(`after: job '${job.id}' has no checkpoint '${after}'`, { status: 404, param: 'after' })
    }
    const rest = all.slice(at + 1)
    return c.json(
      toList(
        rest.slice(0, most).map(checkpoint => toCheckpoint(job, checkpoint)),
        rest.length > most
      ),
      200
    )
  })

  api.openapi(deleteModelRoute, c => {
    const { model: id } = c.req.valid('param')
    models.find(id)
    const withdrawn = jobs.removeModel(id)
    if (withdrawn === null) {
      throw new ApiError(`model '${id}' was not made by a fine-tuning job here: stop the gateway to stop serving it`, {
        status: 403,
        param: 'model'
      })
    }
    release(withdrawn)
    return c.json({ id, object: 'model' as const, deleted: true as const }, 200)
  })
}
