// What a page needs of fine-tuning beyond OpenAI: a preview of the data, an estimate of the time, live metrics, the run's YAML, the adapter.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createRoute, z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import type { MetricsLine } from '../../../client/index.ts'
import { ApiError } from '../../errors.ts'
import type { Routes } from '../../http/api.ts'
import { requestAbort, streamEvents } from '../../http/sse.ts'
import { metricsOf } from '../../jobs/metrics-tail.ts'
import { JobPreviewer } from '../../jobs/preview.ts'
import { adapterZip } from '../../jobs/results.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import { adapterFiles } from '../../jobs/serving.ts'
import { errorMessage } from '../chat-answer.ts'
import { downloadHeaders } from '../files.ts'
import { jobParams, jobPath, json } from './jobs.ts'
import { createJobBody, toJob, toJobRequest } from './schema.ts'

const summary = z.object({
  examples: z.int(),
  tokens: z.int(),
  trained_tokens: z.int().describe('tokens with a loss'),
  shortest: z.int(),
  median: z.int(),
  longest: z.int()
})

const previewObject = z
  .object({
    object: z.literal('fine_tuning.preview'),
    description: z.array(z.string()).describe('for a person: format, counts, what is skipped and cut'),
    training: summary,
    validation: summary.nullable(),
    empty_rows: z.int(),
    max_length: z.int().describe('most tokens of an example'),
    too_long: z.int().describe('examples with more'),
    truncates: z.boolean().describe('whether those are cut; else the job fails'),
    lengths: z.array(z.object({ from: z.int(), to: z.int(), count: z.int() })),
    steps: z.int(),
    steps_per_epoch: z.int(),
    parameters: z.int().describe('numbers that are trained'),
    config: z.record(z.string(), z.unknown()).describe('the run, every default filled in'),
    yaml: z.string().describe('the same for swarm train --config'),
    examples: z.array(z.array(z.object({ id: z.int(), text: z.string(), trained: z.boolean() })))
  })
  .openapi('FineTuningPreview')

const estimateObject = z
  .object({
    object: z.literal('fine_tuning.estimate'),
    steps: z.int(),
    tokens: z.int(),
    seconds: z.number().describe('of the whole run, without evaluations and checkpoints'),
    seconds_per_step: z.number(),
    tokens_per_second: z.number()
  })
  .openapi('FineTuningEstimate')

const jobBody = { required: true, content: { 'application/json': { schema: createJobBody } } } as const

const previewRoute = createRoute({
  method: 'post',
  path: '/v1/fine_tuning/preview',
  request: {
    body: jobBody,
    query: z.strictObject({ examples: z.coerce.number().int().min(0).max(50).default(3) })
  },
  responses: { 200: json(previewObject, 'What a job of this body would learn; none is made') }
})

const estimateRoute = createRoute({
  method: 'post',
  path: '/v1/fine_tuning/estimate',
  request: { body: jobBody },
  responses: { 200: json(estimateObject, 'How long a job of this body would run, by a step that was measured') }
})

const metricsLine = z.record(z.string(), z.union([z.number(), z.string(), z.null()])).openapi('FineTuningMetrics')

const metricsRoute = createRoute({
  method: 'get',
  path: `${jobPath}/metrics`,
  request: {
    params: jobParams,
    query: z.strictObject({
      stream: z.enum(['true', 'false']).optional().describe('true: those so far, then those that come')
    })
  },
  responses: {
    200: {
      description:
        'What each step and each evaluation measured, by names as of Hugging Face: loss, learning_rate, eval_loss',
      content: {
        'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(metricsLine) }) },
        'text/event-stream': { schema: z.string() }
      }
    }
  }
})

const configRoute = createRoute({
  method: 'get',
  path: `${jobPath}/config.yaml`,
  request: { params: jobParams },
  responses: {
    200: { description: 'The run for swarm train --config', content: { 'application/yaml': { schema: z.string() } } }
  }
})

const adapterRoute = createRoute({
  method: 'get',
  path: `${jobPath}/adapter`,
  request: {
    params: jobParams,
    query: z.strictObject({
      step: z.coerce.number().int().min(1).optional().describe('of a checkpoint; default: the end of the run')
    })
  },
  responses: {
    200: { description: "The adapter in PEFT's format, as a zip", content: { 'application/zip': { schema: z.any() } } }
  }
})

const adapterFileRoute = createRoute({
  method: 'get',
  path: `${jobPath}/adapter/{name}`,
  request: { params: jobParams.extend({ name: z.enum(adapterFiles) }) },
  responses: {
    200: {
      description: "One file of the adapter in PEFT's format",
      content: { 'application/octet-stream': { schema: z.any() } }
    }
  }
})

type Summary = Parameters<typeof toSummary>[0]

const toSummary = ({
  examples,
  tokens,
  labels,
  shortest,
  median,
  longest
}: {
  readonly examples: number
  readonly tokens: number
  readonly labels: number
  readonly shortest: number
  readonly median: number
  readonly longest: number
}) => ({ examples, tokens, trained_tokens: labels, shortest, median, longest })

/** The job, the metrics so far, then what comes: events `job`, `metrics`, and `resumed` where lines after a step are made anew. */
async function* metricsMessages(jobs: JobRunner, id: string, signal: AbortSignal): AsyncGenerator<SSEMessage> {
  const changes = jobs.ledger.watch(id, signal)
  const message = (event: string, data: unknown): SSEMessage => ({ event, data: JSON.stringify(data) })
  try {
    yield message('job', toJob(jobs.ledger.get(id)))
    const told = new Set<string>()
    for (const line of await metricsOf(jobs.folders.of(id))) {
      told.add(keyOf(line))
      yield message('metrics', line)
    }
    for await (const change of changes) {
      if (change.type === 'job') yield message('job', toJob(change.job))
      if (change.type === 'resumed') yield message('resumed', { step: change.step })
      if (change.type === 'metrics' && !told.has(keyOf(change.line))) yield message('metrics', change.line)
    }
  } finally {
    await changes.return(undefined)
  }
}

/** A line that was read from the file may come as a change as well. */
const keyOf = ({ step, time, eval_loss: evaluated }: MetricsLine): string => `${step} ${time} ${evaluated}`

export const fineTuningExtensionRoutes: Routes = (api, { jobs, files, models }) => {
  const previewer = new JobPreviewer({ models, files })

  api.openapi(previewRoute, async c => {
    const { signal } = c.req.raw
    const { examples } = c.req.valid('query')
    const found = await previewer.preview(toJobRequest(c.req.valid('json')), { examples, signal })
    const { model, train_file, validation_file, output_dir, ...config } = found.config
    return c.json(
      {
        object: 'fine_tuning.preview' as const,
        description: [...found.description],
        training: toSummary(found.training),
        validation: found.validation && toSummary(found.validation satisfies Summary),
        empty_rows: found.emptyRows,
        max_length: found.maxLength,
        too_long: found.tooLong,
        truncates: found.truncates,
        lengths: [...found.lengths],
        steps: found.steps,
        steps_per_epoch: found.stepsPerEpoch,
        parameters: found.parameters,
        config,
        yaml: found.yaml,
        examples: found.examples.map(tokens => tokens.map(({ id, text, learned }) => ({ id, text, trained: learned })))
      },
      200
    )
  })

  api.openapi(estimateRoute, async c => {
    const found = await previewer.estimate(toJobRequest(c.req.valid('json')), c.req.raw.signal)
    return c.json(
      {
        object: 'fine_tuning.estimate' as const,
        steps: found.steps,
        tokens: found.tokens,
        seconds: found.seconds,
        seconds_per_step: found.secondsPerStep,
        tokens_per_second: found.tokensPerSecond
      },
      200
    )
  })

  api.openapi(metricsRoute, async c => {
    const { fine_tuning_job_id: id } = c.req.valid('param')
    const folder = jobs.folders.of(jobs.ledger.get(id).id)
    if (c.req.valid('query').stream === 'true') {
      const { signal, abort } = requestAbort(c)
      return (await streamEvents(c, metricsMessages(jobs, id, signal), { onError: errorMessage, abort })) as never
    }
    return c.json({ object: 'list' as const, data: await metricsOf(folder) }, 200)
  })

  api.openapi(configRoute, c => {
    const job = jobs.ledger.get(c.req.valid('param').fine_tuning_job_id)
    return c.body(jobs.folders.yamlOf(job), 200, downloadHeaders('config.yaml', 'application/yaml'))
  })

  api.openapi(adapterRoute, async c => {
    const job = jobs.ledger.get(c.req.valid('param').fine_tuning_job_id)
    const { step } = c.req.valid('query')
    const folder = jobs.folders.of(job.id)
    const { stream, bytes } = await adapterZip(step === undefined ? folder : join(folder, `checkpoint-${step}`))
    const name = job.fineTunedModel.replaceAll(/[^\w.-]+/g, '-')
    const filename = `${name}${step === undefined ? '' : `-step-${step}`}.zip`
    return c.body(stream, 200, { ...downloadHeaders(filename, 'application/zip'), 'Content-Length': String(bytes) })
  })

  api.openapi(adapterFileRoute, async c => {
    const { fine_tuning_job_id: id, name } = c.req.valid('param')
    const path = join(jobs.folders.of(jobs.ledger.get(id).id), name)
    const found = await stat(path).catch((cause: unknown) => {
      throw new ApiError('the job has no adapter yet: wait until it has succeeded', { status: 404, cause })
    })
    const stream = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>
    return c.body(stream, 200, { ...downloadHeaders(name), 'Content-Length': String(found.size) })
  })
}
