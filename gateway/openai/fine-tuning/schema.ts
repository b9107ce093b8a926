// Bodies of fine-tuning jobs as OpenAI has them, with the settings of a run as an extension, and jobs as they are answered.
import { z } from '@hono/zod-openapi'
import { trainConfigSchema } from '../../../client/index.ts'
import { invalid } from '../../errors.ts'
import { checkpointModel, type Hyperparameters, type Job, type JobRequest } from '../../jobs/job.ts'
import type { JobCheckpoint } from '../../jobs/results.ts'
import { baseLearningRate, chosenHyperparameters, gatewayKeys } from '../../jobs/settings.ts'
import { type EventRow, jobStates } from '../../storage/jobs.ts'

const auto = z.literal('auto')

const hyperparameters = z.strictObject({
  n_epochs: z.union([auto, z.int().min(1)]).optional(),
  batch_size: z.union([auto, z.int().min(1)]).nullish(),
  learning_rate_multiplier: z
    .union([auto, z.number().gt(0)])
    .optional()
    .describe(`times ${baseLearningRate}, which suits adapters`)
})

/** The type under a default: a key that is not given stays so. */
const given = (type: z.ZodType): z.ZodType => {
  const inner = type instanceof z.ZodDefault || type instanceof z.ZodPrefault ? (type.unwrap() as z.ZodType) : type
  const { description } = type
  const optional = inner.optional()
  return description === undefined ? optional : optional.describe(description)
}

const own: ReadonlySet<string> = new Set(gatewayKeys)
const runKeys = Object.entries(trainConfigSchema.shape).filter(([key]) => !own.has(key))

/** As in a run's YAML, where a section without `peft_type` is LoRA's. */
function peftSection(): z.ZodType {
  const methods = trainConfigSchema.shape.peft.unwrap()
  const lora = methods.options.find(({ shape }) => shape.peft_type.safeParse('LORA').success)!
  const names = methods.options.map(({ shape }) => `'${(shape.peft_type as unknown as z.ZodLiteral<string>).value}'`)
  const type = z.literal('LORA', { error: `Expected ${names.join(' | ')}` })
  return z.union([methods, lora.extend({ peft_type: type.optional() })])
}

/** The keys of a run's YAML (docs/training.md) that the gateway does not set itself. */
const settings = z
  .strictObject({
    ...Object.fromEntries(runKeys.map(([key, type]) => [key, given(type as z.ZodType)])),
    peft: peftSection().optional().describe(trainConfigSchema.shape.peft.description!)
  })
  .openapi('FineTuningSettings')

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine(found => Object.keys(found).length <= 16, 'expected at most 16 entries')

export const createJobBody = z
  .strictObject({
    model: z.string(),
    training_file: z.string(),
    validation_file: z.string().nullish(),
    method: z
      .strictObject({
        type: z.enum(['supervised', 'dpo', 'reinforcement']),
        supervised: z.strictObject({ hyperparameters: hyperparameters.optional() }).optional(),
        dpo: z.unknown().optional(),
        reinforcement: z.unknown().optional()
      })
      .optional(),
    hyperparameters: hyperparameters.optional().describe('an older place of those of method.supervised'),
    suffix: z
      .string()
      .regex(/^[\p{L}\p{N}_.-]{1,64}$/u, 'expected 1 to 64 letters, digits, and . _ -')
      .nullish(),
    seed: z.int().min(0).nullish(),
    metadata: metadata.nullish(),
    integrations: z.array(z.unknown()).nullish(),
    swarmtune: settings.optional()
  })
  .openapi('CreateFineTuningJob')

type CreateJobBody = z.infer<typeof createJobBody>

/** A run's default, so that a job without a seed does what `swarm train` does. */
const defaultSeed = trainConfigSchema.shape.seed.parse(undefined)

function toHyperparameters(body: CreateJobBody): Hyperparameters {
  const inMethod = body.method?.supervised?.hyperparameters
  if (inMethod !== undefined && body.hyperparameters !== undefined) {
    throw invalid('hyperparameters: given here and in method.supervised: give them once', 'hyperparameters')
  }
  const found = inMethod ?? body.hyperparameters ?? {}
  return {
    nEpochs: found.n_epochs ?? 'auto',
    batchSize: found.batch_size ?? 'auto',
    learningRateMultiplier: found.learning_rate_multiplier ?? 'auto'
  }
}

/** Throws ApiError 400 for what is known and not done here. */
export function toJobRequest(body: CreateJobBody): JobRequest {
  const { method } = body
  const type = method?.type ?? 'supervised'
  if (type !== 'supervised') {
    throw invalid(`method.type: '${type}' is not supported; supervised is`, 'method.type', 'unsupported_method')
  }
  for (const other of ['dpo', 'reinforcement'] as const) {
    if (method?.[other] !== undefined) throw invalid(`method.${other}: the method is supervised`, `method.${other}`)
  }
  if ((body.integrations ?? []).length > 0) {
    const message =
      'integrations: not supported: the gateway sends nothing to other services; read the job’s metrics here'
    throw invalid(message, 'integrations')
  }
  return {
    model: body.model,
    trainingFile: body.training_file,
    validationFile: body.validation_file ?? null,
    hyperparameters: toHyperparameters(body),
    settings: (body.swarmtune ?? {}) as JobRequest['settings'],
    suffix: body.suffix ?? null,
    seed: body.seed ?? defaultSeed,
    metadata: body.metadata ?? {}
  }
}

const chosen = z.object({
  n_epochs: z.union([auto, z.number()]),
  batch_size: z.union([auto, z.int()]),
  learning_rate_multiplier: z.union([auto, z.number()])
})

export const jobObject = z
  .object({
    id: z.string(),
    object: z.literal('fine_tuning.job'),
    model: z.string(),
    created_at: z.int(),
    finished_at: z.int().nullable(),
    estimated_finish: z.int().nullable(),
    status: z.enum(jobStates),
    training_file: z.string(),
    validation_file: z.string().nullable(),
    fine_tuned_model: z.string().nullable(),
    organization_id: z.string(),
    result_files: z.array(z.string()),
    seed: z.int(),
    trained_tokens: z.int().nullable(),
    error: z.object({ code: z.string(), message: z.string(), param: z.string().nullable() }).nullable(),
    hyperparameters: chosen,
    method: z.object({
      type: z.literal('supervised'),
      supervised: z.object({ hyperparameters: chosen })
    }),
    user_provided_suffix: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    integrations: z.array(z.unknown()).max(0),
    swarmtune: z
      .object({
        step: z.int().describe('optimizer steps done'),
        total_steps: z.int().describe('of the whole run; 0 until the files are validated'),
        served: z.boolean().describe('whether requests may name the model'),
        config: z.record(z.string(), z.unknown()).nullable().describe('the run, every default filled in')
      })
      .describe('what this gateway tells beyond OpenAI')
  })
  .openapi('FineTuningJob')

export function toJob(job: Job): z.infer<typeof jobObject> {
  const { hyperparameters: asked, config } = job
  const told =
    config === null
      ? {
          n_epochs: asked.nEpochs,
          batch_size: asked.batchSize,
          learning_rate_multiplier: asked.learningRateMultiplier
        }
      : chosenHyperparameters(config, job)
  return {
    id: job.id,
    object: 'fine_tuning.job',
    model: job.model,
    created_at: job.created,
    finished_at: job.finished,
    estimated_finish: job.estimatedFinish,
    status: job.state,
    training_file: job.trainingFile,
    validation_file: job.validationFile,
    fine_tuned_model: job.state === 'succeeded' ? job.fineTunedModel : null,
    organization_id: 'swarmtune',
    result_files: [...job.resultFiles],
    seed: job.seed,
    trained_tokens: job.trainedTokens,
    error: job.error,
    hyperparameters: told,
    method: { type: 'supervised', supervised: { hyperparameters: told } },
    user_provided_suffix: job.suffix,
    metadata: { ...job.metadata },
    integrations: [],
    swarmtune: {
      step: job.step,
      total_steps: job.total,
      served: job.isServed,
      config: config === null ? null : shownConfig(config)
    }
  }
}

/** Without folders of the gateway's machine, which are none of the caller's business. */
function shownConfig(config: NonNullable<Job['config']>): Record<string, unknown> {
  const { model, train_file, validation_file, output_dir, ...shown } = config
  return shown
}

export const eventObject = z
  .object({
    id: z.string(),
    object: z.literal('fine_tuning.job.event'),
    created_at: z.int(),
    level: z.enum(['info', 'warn', 'error']),
    type: z.enum(['message', 'metrics']),
    message: z.string(),
    data: z.record(z.string(), z.unknown()).nullable()
  })
  .openapi('FineTuningJobEvent')

export const toEvent = ({ id, created, level, type, message, data }: EventRow): z.infer<typeof eventObject> => ({
  id,
  object: 'fine_tuning.job.event',
  created_at: created,
  level,
  type,
  message,
  data: data === null ? null : (JSON.parse(data) as Record<string, unknown>)
})

export const checkpointObject = z
  .object({
    id: z.string(),
    object: z.literal('fine_tuning.job.checkpoint'),
    created_at: z.int(),
    fine_tuned_model_checkpoint: z.string().describe('a model that answers once the job has succeeded; not listed'),
    fine_tuning_job_id: z.string(),
    metrics: z.object({
      step: z.int(),
      train_loss: z.number().optional(),
      valid_loss: z.number().optional(),
      full_valid_loss: z.number().optional()
    }),
    step_number: z.int()
  })
  .openapi('FineTuningJobCheckpoint')

/** Id of the checkpoint of a step. */
export const checkpointId = (job: Job, step: number): string => `ftckpt_${job.id.replace('ftjob-', '')}_${step}`

export function toCheckpoint(job: Job, { step, created, metrics }: JobCheckpoint): z.infer<typeof checkpointObject> {
  const { loss, eval_loss: evaluated } = metrics
  return {
    id: checkpointId(job, step),
    object: 'fine_tuning.job.checkpoint',
    created_at: created,
    fine_tuned_model_checkpoint: checkpointModel(job, step),
    fine_tuning_job_id: job.id,
    metrics: {
      step,
      ...(loss !== undefined && { train_loss: loss }),
      ...(evaluated !== undefined && { valid_loss: evaluated, full_valid_loss: evaluated })
    },
    step_number: step
  }
}
