// The options of a training run, and its progress. Names are those of Hugging Face's TrainingArguments in camel case.
import { checkOptions, checkSpelling, type OptionKeys } from '../../common/options.ts'
import type { OnProgress } from '../../common/progress.ts'
import {
  checkScheduleKwargs,
  type OptimizerSettings,
  optimizerKeys,
  type ScheduleKwargs,
  type ScheduleName
} from '../optim/index.ts'
import type { LossScaleOption } from './loss-scale.ts'
import type { Traffic } from './model.ts'
import type { StoppingRule } from './state.ts'

/** Evaluations during a run. */
export interface EvaluationHook {
  /** steps between two evaluations, or below 1 a share of all steps; also after the last step. Default: once an epoch */
  readonly everySteps?: number
  /** names of the results of `run`, if known in advance */
  readonly measures?: readonly string[]
  /** Evaluates the model after a step. @returns values by name, as written to metrics.jsonl */
  run(
    step: number,
    options: { signal?: AbortSignal; onProgress?: OnProgress }
  ): Promise<Readonly<Record<string, number>>>
}

/** Where a run goes on. */
export interface Resumed {
  /** of the checkpoint */
  readonly path: string
  /** steps done */
  readonly step: number
  /** steps that the run has now */
  readonly total: number
  /** steps that the run was to have when the checkpoint was written */
  readonly totalBefore: number
}

/** Storage of a run: its folder, its checkpoints, and resuming from one of them. */
export interface CheckpointOptions {
  /** folder of the run; without it nothing is saved */
  readonly outputDir?: string
  /** when checkpoints are written, as well as at the end: every `saveSteps`, after each epoch, or after each best evaluation. Default 'steps' */
  readonly saveStrategy?: 'no' | 'steps' | 'epoch' | 'best'
  /** steps between two checkpoints, or below 1 a share of all steps; default 500 */
  readonly saveSteps?: number
  /** how many checkpoints are kept, the best always among them; default all */
  readonly saveTotalLimit?: number
  /** at the end the parameters of the best evaluation are taken; needs `evaluate` and `outputDir`. Default false */
  readonly loadBestModelAtEnd?: boolean
  /** path of a checkpoint, or true for the newest in `outputDir` */
  readonly resumeFromCheckpoint?: string | true
  /** called once, when the checkpoint is loaded */
  readonly onResume?: (resumed: Resumed) => void
  /** further settings that identify the run; a checkpoint with other values is refused. Plain JSON */
  readonly identity?: Readonly<Record<string, unknown>>
}

/** TrainingArguments of Hugging Face in camel case. */
export interface TrainingPlanOptions {
  /** passes over the examples, possibly fractional; default 3 without `maxSteps` */
  readonly numTrainEpochs?: number
  /** optimizer steps; above 0 it replaces the epochs. Default -1 */
  readonly maxSteps?: number
  /** examples in a batch; default 8 */
  readonly perDeviceTrainBatchSize?: number
  /** batches whose gradients make one step; default 1. The last step of an epoch may have fewer */
  readonly gradientAccumulationSteps?: number
  /** of the order of examples; default 0 */
  readonly seed?: number
  /** group examples by length, which saves padding. Default false */
  readonly groupByLength?: boolean
}

/** Suits adapters; Hugging Face's 5e-5 is for whole models. */
export const defaultLearningRate = 2e-3

/** Of a training run. */
export interface TrainOptions extends OptimizerSettings, TrainingPlanOptions, StoppingRule, CheckpointOptions {
  /** the highest rate of the schedule; default 2e-3, which suits adapters */
  readonly learningRate?: number
  /** fills shorter rows of a batch */
  readonly padTokenId: number
  /** default 'constant' */
  readonly lrSchedulerType?: ScheduleName
  /** settings of some schedules */
  readonly lrSchedulerKwargs?: ScheduleKwargs
  /** steps over which the learning rate rises from 0; default 0 */
  readonly warmupSteps?: number
  /** the same as a share of the run, if `warmupSteps` is 0; default 0 */
  readonly warmupRatio?: number
  /** longer gradients are shortened to this norm; default 1, 0: never */
  readonly maxGradNorm?: number
  /** share of the target that is spread over the whole vocabulary; default 0 */
  readonly labelSmoothingFactor?: number
  /** factor on the loss in the backward pass, for gradients in float16; default 1 */
  readonly lossScale?: LossScaleOption
  /** measures taken now and then */
  readonly evaluate?: EvaluationHook
  /** name of the measure by which evaluations are compared; default 'loss' */
  readonly metricForBestModel?: string
  /** hears of the stage `prepare`, until the first step is done, and of `evaluate`; steps are what the run yields */
  readonly onProgress?: OnProgress
  /** ends the run with ABORTED, after a checkpoint */
  readonly signal?: AbortSignal
  /** milliseconds of a steady clock; default `performance.now` */
  readonly now?: () => number
}

const trainKeys: OptionKeys<TrainOptions> = {
  ...optimizerKeys,
  numTrainEpochs: true,
  maxSteps: true,
  perDeviceTrainBatchSize: true,
  gradientAccumulationSteps: true,
  seed: true,
  groupByLength: true,
  greaterIsBetter: true,
  earlyStoppingPatience: true,
  earlyStoppingThreshold: true,
  outputDir: true,
  saveStrategy: true,
  saveSteps: true,
  saveTotalLimit: true,
  loadBestModelAtEnd: true,
  resumeFromCheckpoint: true,
  onResume: true,
  identity: true,
  learningRate: true,
  padTokenId: true,
  lrSchedulerType: true,
  lrSchedulerKwargs: true,
  warmupSteps: true,
  warmupRatio: true,
  maxGradNorm: true,
  labelSmoothingFactor: true,
  lossScale: true,
  evaluate: true,
  metricForBestModel: true,
  onProgress: true,
  signal: true,
  now: true
}

/** Throws INVALID_ARGUMENT for a name that no option has, also within options that have names of their own. */
export function checkTrainOptions(what: string, options: Partial<TrainOptions>): void {
  checkOptions(what, options, trainKeys)
  checkScheduleKwargs(`${what}: lrSchedulerKwargs`, options.lrSchedulerKwargs)
  checkSpelling(`${what}: evaluate`, options.evaluate, { everySteps: true, measures: true, run: true })
}

/** Where a run is after a step. */
export interface TrainingProgress {
  /** steps done */
  readonly step: number
  /** steps of the whole run */
  readonly total: number
  /** passes over the examples done, with the fraction of the present one */
  readonly epoch: number
  /** mean over the labels of this step */
  readonly loss: number
  /** of this step */
  readonly learningRate: number
  /** before clipping; not finite if the step was skipped */
  readonly gradNorm: number
  /** of this step; a step whose gradients are not finite with a dynamic scale changes no parameter */
  readonly lossScale: number
  /** since the start or the resume, padding not counted, evaluation and checkpoints not timed */
  readonly tokensPerSecond: number
  /** seconds that the rest will take */
  readonly etaSeconds: number
  /** result of the evaluation after this step */
  readonly evaluation?: Readonly<Record<string, number>>
  /** the run ends here, before its last step, since evaluations no longer improve */
  readonly stopsEarly?: true
  /** null where the model does not tell */
  readonly traffic: Traffic | null
}
