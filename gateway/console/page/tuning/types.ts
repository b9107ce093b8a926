// Fine-tuning as the gateway's API tells it: OpenAI's jobs, and what this gateway adds.

export type JobStatus = 'validating_files' | 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled'

export interface Job {
  readonly id: string
  readonly model: string
  /** Unix times in seconds */
  readonly created_at: number
  readonly finished_at: number | null
  readonly estimated_finish: number | null
  readonly status: JobStatus
  readonly fine_tuned_model: string | null
  readonly trained_tokens: number | null
  readonly error: { readonly code: string; readonly message: string } | null
  readonly hyperparameters: Readonly<Record<string, number | string>>
  readonly user_provided_suffix: string | null
  readonly swarmtune: {
    readonly step: number
    readonly total_steps: number
    readonly served: boolean
    readonly config: Readonly<Record<string, unknown>> | null
  }
}

export interface JobEvent {
  readonly id: string
  readonly created_at: number
  readonly level: 'info' | 'warn' | 'error'
  readonly type: 'message' | 'metrics'
  readonly message: string
}

export interface UploadedFile {
  readonly id: string
  readonly filename: string
  readonly bytes: number
}

interface DataSummary {
  readonly examples: number
  readonly tokens: number
  readonly trained_tokens: number
  readonly shortest: number
  readonly median: number
  readonly longest: number
}

export interface PreviewToken {
  readonly id: number
  readonly text: string
  readonly trained: boolean
}

export interface Preview {
  readonly description: readonly string[]
  readonly training: DataSummary
  readonly validation: DataSummary | null
  readonly empty_rows: number
  readonly max_length: number
  readonly too_long: number
  readonly truncates: boolean
  readonly lengths: readonly { readonly from: number; readonly to: number; readonly count: number }[]
  readonly steps: number
  readonly steps_per_epoch: number
  readonly parameters: number
  readonly config: Readonly<Record<string, unknown>>
  readonly yaml: string
  readonly examples: readonly (readonly PreviewToken[])[]
}

export interface Estimate {
  readonly steps: number
  readonly tokens: number
  readonly seconds: number
  readonly seconds_per_step: number
  readonly tokens_per_second: number
}

/** A line of a run's metrics: of a step, or of an evaluation. */
export interface MetricsLine {
  readonly step: number
  readonly epoch: number
  readonly [name: string]: number | string | null
}

/** What the person chose. Undefined: the gateway chooses from the data. */
export interface Choices {
  readonly model: string
  readonly name: string
  readonly epochs?: number
  readonly batchSize?: number
  readonly learningRate?: number
  readonly maxLength?: number
  readonly truncate: boolean
  readonly rank?: number
  readonly alpha?: number
  /** share of the examples that only evaluates, 0 to 1 */
  readonly validationShare?: number
}

const orLeaveOut = (name: string, value: unknown): object => (value === undefined ? {} : { [name]: value })

/** The body of a job, of a preview and of an estimate. */
export function toJobBody(choices: Choices, file: string, validationFile: string | null): object {
  const { model, name, epochs, batchSize, learningRate, maxLength, truncate, rank, alpha, validationShare } = choices
  const lora = { peft_type: 'LORA', ...orLeaveOut('r', rank), ...orLeaveOut('lora_alpha', alpha) }
  return {
    model,
    training_file: file,
    ...(validationFile !== null && { validation_file: validationFile }),
    ...(name.trim() !== '' && { suffix: name.trim() }),
    swarmtune: {
      peft: lora,
      ...orLeaveOut('num_train_epochs', epochs),
      ...orLeaveOut('per_device_train_batch_size', batchSize),
      ...orLeaveOut('learning_rate', learningRate),
      ...orLeaveOut('max_seq_length', maxLength),
      ...(truncate && { truncate: true }),
      ...(validationFile === null && orLeaveOut('validation_split', validationShare))
    }
  }
}

/** What a list calls a run. */
export const runName = ({ user_provided_suffix, model, id }: Job): string =>
  user_provided_suffix ?? `${model} ${id.slice(-6)}`

export const isOver = ({ status }: Job): boolean => ['succeeded', 'failed', 'cancelled'].includes(status)

export const statuses: Readonly<Record<JobStatus, { readonly text: string; readonly shape: string }>> = {
  validating_files: { text: 'checking the data', shape: '◔' },
  queued: { text: 'waiting', shape: '◌' },
  running: { text: 'running', shape: '▶' },
  paused: { text: 'paused', shape: '❚❚' },
  succeeded: { text: 'finished', shape: '✓' },
  failed: { text: 'failed', shape: '▲' },
  cancelled: { text: 'cancelled', shape: '✕' }
}
