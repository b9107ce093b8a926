// The settings of a job's run: OpenAI's hyperparameters, `auto` values from the data, and keys of a run's YAML. Pure.
import {
  parseTrainConfig,
  planTraining,
  SwarmError,
  type TrainConfig,
  type TrainingData,
  type TrainingPlan,
  toTrainOptions,
  trainConfigSchema
} from '../../client/index.ts'
import { invalid } from '../errors.ts'
import type { Hyperparameters, JobRequest } from './job.ts'

/** Keys of a run's YAML that the gateway sets itself. */
export const gatewayKeys = [
  ...['model', 'revision', 'from_peers', 'initial_peers', 'require_dtype', 'task_type', 'labels', 'codec', 'audit'],
  ...['train_file', 'validation_file', 'seed', 'output_dir', 'overwrite_output_dir']
] as const satisfies readonly (keyof TrainConfig)[]

/** Hyperparameters by the key of the YAML that means the same. */
const meaning = {
  nEpochs: { name: 'n_epochs', keys: ['num_train_epochs', 'max_steps'] },
  batchSize: { name: 'batch_size', keys: ['per_device_train_batch_size'] },
  learningRateMultiplier: { name: 'learning_rate_multiplier', keys: ['learning_rate'] }
} as const satisfies Record<keyof Hyperparameters, { name: string; keys: readonly (keyof TrainConfig)[] }>

/** The default of a run's YAML, which a multiplier of 1 means; suits adapters. */
export const baseLearningRate = trainConfigSchema.shape.learning_rate.parse(undefined)

/** Small data sets get more epochs: about this many examples in all, within 3 to 10 epochs. */
const examplesSeen = 600
const [leastEpochs, mostEpochs] = [3, 10]

/** An `auto` batch size gives at least this many steps an epoch; the largest is the default of a run's YAML. */
const stepsPerEpoch = 8
const mostRows = trainConfigSchema.shape.per_device_train_batch_size.parse(undefined)

const within = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

/** What `auto` is for this many examples. */
export function automatic(examples: number): { nEpochs: number; batchSize: number; learningRateMultiplier: number } {
  return {
    nEpochs: within(Math.ceil(examplesSeen / examples), leastEpochs, mostEpochs),
    batchSize: within(Math.floor(examples / stepsPerEpoch), 1, mostRows),
    learningRateMultiplier: 1
  }
}

/** Where a run is kept, and what it is over. */
export interface RunPlaces {
  /** folder of the model */
  readonly model: string
  readonly trainFile: string
  readonly validationFile: string | null
  readonly folder: string
  /** how the base model's hidden states and gradients travel */
  readonly codec: TrainConfig['codec']
}

/** Checkpoints: about ten in a run, never more than this many steps apart, the last ones and the best kept. */
const savesPerRun = 10
const mostStepsUnsaved = 100
const checkpointsKept = 3

function checkOnce({ hyperparameters, settings }: JobRequest): void {
  for (const [key, { name, keys }] of Object.entries(meaning)) {
    const twice = hyperparameters[key as keyof Hyperparameters] !== 'auto' && keys.find(other => other in settings)
    if (twice) {
      const message = `swarmtune.${twice}: means the same as the hyperparameter ${name}: give one of them`
      throw invalid(message, `swarmtune.${twice}`)
    }
  }
}

/**
 * The settings of a job's run. Throws ApiError 400 that names every wrong key.
 * @param examples of the training file, which decide what `auto` is
 * @param steps of the whole run, once it is known
 */
export function runConfigOf(
  request: JobRequest,
  places: RunPlaces,
  examples: number,
  steps: number | null = null
): TrainConfig {
  checkOnce(request)
  const { hyperparameters, settings, seed } = request
  const chosen = automatic(examples)
  const pick = (key: keyof Hyperparameters): number => {
    const given = hyperparameters[key]
    return given === 'auto' ? chosen[key] : given
  }
  const interval = steps === null ? mostStepsUnsaved : within(Math.ceil(steps / savesPerRun), 1, mostStepsUnsaved)
  const values = {
    num_train_epochs: pick('nEpochs'),
    per_device_train_batch_size: pick('batchSize'),
    learning_rate: pick('learningRateMultiplier') * baseLearningRate,
    save_total_limit: checkpointsKept,
    ...('save_strategy' in settings ? {} : { save_steps: interval }),
    ...settings,
    peft: withTargets(settings.peft),
    model: places.model,
    codec: places.codec,
    train_file: places.trainFile,
    ...(places.validationFile !== null && { validation_file: places.validationFile }),
    seed,
    output_dir: places.folder
  }
  try {
    return parseTrainConfig(values)
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    throw invalid(error.message.replace(/^training configuration: /, 'swarmtune: '), 'swarmtune')
  }
}

/** The settings of a job's run over its examples, and the run's steps. Throws as `runConfigOf`. */
export function planOf(
  request: JobRequest,
  places: RunPlaces,
  { train }: Pick<TrainingData, 'train'>
): { readonly config: TrainConfig; readonly plan: TrainingPlan } {
  const lengths = train.map(({ ids }) => ids.length)
  const draft = runConfigOf(request, places, train.length)
  const plan = planTraining(lengths, toTrainOptions(draft))
  return { config: runConfigOf(request, places, train.length, plan.total), plan }
}

/** LoRA reaches every linear module unless the job says otherwise: that works for models of all families. */
function withTargets(peft: unknown): unknown {
  const given = (peft ?? {}) as Readonly<Record<string, unknown>>
  const { peft_type: type = 'LORA' } = given
  if (type !== 'LORA' || 'target_modules' in given || 'target_parameters' in given) return peft
  return { peft_type: type, target_modules: 'all-linear', ...given }
}

/** The chosen hyperparameters of a run under OpenAI's names. */
export function chosenHyperparameters(
  config: TrainConfig,
  { total, stepsPerEpoch }: { readonly total: number; readonly stepsPerEpoch: number }
): {
  n_epochs: number
  batch_size: number
  learning_rate_multiplier: number
} {
  return {
    n_epochs: config.max_steps > 0 ? total / stepsPerEpoch : config.num_train_epochs,
    batch_size: config.per_device_train_batch_size,
    learning_rate_multiplier: config.learning_rate / baseLearningRate
  }
}
