// A fine-tuning job: what was asked for, what was chosen, and where it is. Knows no HTTP.
import { SwarmError, type TrainConfig } from '../../client/index.ts'
import { messageOf } from '../../common/errors.ts'
import { ApiError } from '../errors.ts'
import type { JobRow, JobState } from '../storage/jobs.ts'

/** `auto`: chosen from the data */
export type Auto<Value> = 'auto' | Value

/** OpenAI's hyperparameters. */
export interface Hyperparameters {
  readonly nEpochs: Auto<number>
  readonly batchSize: Auto<number>
  /** times the default learning rate of adapters */
  readonly learningRateMultiplier: Auto<number>
}

/** What a client asks for. */
export interface JobRequest {
  /** id of a base model that is served */
  readonly model: string
  /** ids of uploaded files */
  readonly trainingFile: string
  readonly validationFile: string | null
  readonly hyperparameters: Hyperparameters
  /** keys of a run's YAML, as given */
  readonly settings: Readonly<Record<string, unknown>>
  readonly suffix: string | null
  readonly seed: number
  readonly metadata: Readonly<Record<string, string>>
}

/** Why a job failed, or waits. */
export interface JobError {
  /** for programs: `invalid_training_file`, `disk_full`, `blocks_unavailable` */
  readonly code: string
  readonly message: string
  readonly param: string | null
}

/** A job as the store keeps it. Times are Unix times in seconds. */
export interface Job extends JobRequest {
  readonly id: string
  state: JobState
  /** name of the model that it makes */
  readonly fineTunedModel: string
  /** whether the gateway answers for that model */
  isServed: boolean
  readonly created: number
  finished: number | null
  error: JobError | null
  /** the run's settings, every default filled in; null until the files are validated */
  config: TrainConfig | null
  /** optimizer steps done, and of the whole run; 0 until it is known */
  step: number
  total: number
  /** 0 until it is known */
  stepsPerEpoch: number
  /** seconds since 1970; null while nothing is known */
  estimatedFinish: number | null
  /** tokens of the examples that were trained on, each as often as it was */
  trainedTokens: number | null
  /** ids of files */
  resultFiles: readonly string[]
  /** step of the checkpoint to go on from, where it is not the newest */
  resumeStep: number | null
}

/** Name of the model that a checkpoint of a job is. */
export const checkpointModel = ({ fineTunedModel }: Job, step: number): string => `${fineTunedModel}:ckpt-step-${step}`

/** States that a job leaves only when it is asked to. */
export const endStates: ReadonlySet<JobState> = new Set(['succeeded', 'failed', 'cancelled'])

export function toRow(job: Job): JobRow {
  const { id, state, isServed, fineTunedModel, ...record } = job
  return { id, state, model: isServed ? fineTunedModel : null, record: JSON.stringify({ ...record, fineTunedModel }) }
}

export function fromRow({ id, state, model, record }: JobRow): Job {
  return { ...(JSON.parse(record) as Omit<Job, 'id' | 'state' | 'isServed'>), id, state, isServed: model !== null }
}

/** 409: what is asked for is for jobs in other states. */
export function wrongState({ id, state }: Job, wanted: string, why: string): ApiError {
  return new ApiError(`job '${id}' cannot be ${wanted}: it is ${state}; ${why}`, {
    status: 409,
    code: 'invalid_job_state',
    param: 'fine_tuning_job_id'
  })
}

/** What the operator is to start before a job can go on; null where that would not help. */
export function whatToStart(error: unknown): string | null {
  if (error instanceof SwarmError && error.retryable) return 'Start the servers that are missing'
  const isElsewhere = error instanceof ApiError && ['model_not_found', 'codec_mismatch'].includes(error.code ?? '')
  return isElsewhere ? 'Start the gateway as it was when the job began' : null
}

/** A failure as the job's owner sees it, without paths of the gateway's machine. */
export function faultOf(error: unknown, job: Job, folder: string): JobError {
  const message = messageOf(error)
    .replaceAll(`${folder}/`, '')
    .replaceAll(folder, "the job's folder")
    // for the gateway's operator, whose log has it
    .replace(/; step \d+ is kept in .*: make room, and resume from there/, '')
  if (error instanceof ApiError) return { code: error.code ?? error.type, message, param: error.param }
  if (!(error instanceof SwarmError)) return { code: 'server_error', message, param: null }
  if (job.config === null && error.code !== 'DISK_FULL') {
    return { code: 'invalid_training_file', message, param: 'training_file' }
  }
  const advice = error.code === 'DISK_FULL' ? '. Free some space on the disk of the gateway, then resume the job' : ''
  return { code: error.code.toLowerCase(), message: `${message}${advice}`, param: null }
}
