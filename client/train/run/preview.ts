// Previews a run without training: its steps, data and memory, and whether it could start. Prints nothing.
import { SwarmError } from '../../../common/errors.ts'
import { MiB } from '../../../common/units.ts'
import { checkMeasure, findResume } from '../checkpointing.ts'
import { countLabels, countTokens } from '../collate.ts'
import { type TrainConfig, toTrainOptions } from '../config/index.ts'
import type { Example, TrainingData } from '../data/index.ts'
import type { TrainableModel } from '../model.ts'
import type { Resumed } from '../options.ts'
import { intervalOf, planTraining } from '../plan.ts'
import type { EvaluatedData } from './evaluation.ts'
import { probeRunFolder, type RunOptions, runTrainOptions } from './run.ts'

/** Sizes of examples. */
export interface DataSummary {
  readonly examples: number
  readonly tokens: number
  /** tokens, words or texts with a loss */
  readonly labels: number
  readonly shortest: number
  readonly median: number
  readonly longest: number
  /** examples or words of each class, in the order of the classes; only of classification */
  readonly classes?: readonly number[]
}

/**
 * Numbers of the data set: examples, tokens, lengths, and of a classification its classes.
 * @param classes names of the classes, where the data has some
 */
export function summarizeData(examples: readonly Example[], classes?: readonly string[]): DataSummary {
  const lengths = examples.map(({ ids }) => ids.length).sort((a, b) => a - b)
  const counts = classes?.map(() => 0)
  if (counts !== undefined) {
    for (const { labels, areNumbers } of examples) {
      // of any number of classes a flag for each
      const found = areNumbers ? labels.keys().filter(index => labels[index] === 1) : labels
      for (const label of found) if (label >= 0) counts[label]! += 1
    }
  }
  return {
    examples: examples.length,
    tokens: countTokens(examples),
    labels: countLabels(examples),
    shortest: lengths[0] ?? 0,
    median: lengths[Math.floor(lengths.length / 2)] ?? 0,
    longest: lengths.at(-1) ?? 0,
    ...(counts && { classes: counts })
  }
}

export interface RunPreview {
  readonly steps: number
  readonly stepsPerEpoch: number
  readonly epochs: number
  /** steps between two evaluations; null: none are made */
  readonly evaluationInterval: number | null
  /** numbers that are trained */
  readonly trained: number
  /** bytes that training adds to what the opened model takes: gradients, moments, the largest batch and the runtime; an estimate */
  readonly addedBytes: number
  readonly resumed?: Resumed
  /** faults that would end the run before its first step */
  readonly faults: readonly SwarmError[]
}

/** Numbers that an optimizer keeps for each parameter. */
const momentsOf = ({ optim, optim_args: { momentum = 0 } }: TrainConfig): number =>
  ({ adamw: 2, lion: 1, sgd: momentum > 0 ? 1 : 0, adafactor: 0 })[optim]

/** Copies of hidden states that a batch has at once: embedded, on the way there and back, and their gradients. */
const hiddenCopies = 4
/** Copies of scores: of the head, as probabilities, their gradients, and what ONNX Runtime keeps between; measured with models/tiny. */
const scoreCopies = 5
/** Compiled graphs of head and loss, connections, and garbage that V8 leaves for a while; measured with models/tiny. */
const runtimeBytes = 80 * MiB
const floatBytes = 4

export interface PreviewSizes {
  readonly hiddenSize: number
  /** scores of a position: the vocabulary, or the classes */
  readonly scores: number
  /** virtual tokens before each row */
  readonly virtualTokens: number
}

function batchBytes(
  examples: readonly Example[],
  { per_device_train_batch_size: rows }: TrainConfig,
  sizes: PreviewSizes
) {
  const longest = examples.reduce((most, { ids }) => Math.max(most, ids.length), 0) + sizes.virtualTokens
  const positions = Math.min(rows, examples.length) * longest
  return positions * floatBytes * (hiddenCopies * sizes.hiddenSize + scoreCopies * sizes.scores)
}

/**
 * @param model with its adapter; a checkpoint that the run resumes from is loaded into it
 * @param runOptions as of `runTraining`; `folder: false`: the configuration names no folder yet, which is then not checked
 */
export async function previewRun(
  model: TrainableModel,
  data: EvaluatedData & Pick<TrainingData, 'train'>,
  config: TrainConfig,
  runOptions: RunOptions & { readonly folder: boolean; readonly sizes: PreviewSizes }
): Promise<RunPreview> {
  const { folder, sizes, ...rest } = runOptions
  const { resume } = rest
  const lengths = data.train.map(({ ids }) => ids.length)
  const plan = planTraining(lengths, toTrainOptions(config))
  const { total, stepsPerEpoch } = plan
  const options = await runTrainOptions(model, data, config, rest)
  const faults: SwarmError[] = []
  /** Records faults and continues. */
  const check = async <T>(inspect: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await inspect()
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code === 'ABORTED') throw error
      faults.push(error)
      return undefined
    }
  }
  await check(() => checkMeasure(options, options.evaluate?.measures))
  if (folder) await check(() => probeRunFolder(config, { resume: resume !== undefined }))
  const outputDir = config.output_dir
  const resumed =
    resume === undefined || !folder
      ? undefined
      : await check(() => findResume(model, data.train, { ...options, outputDir, resumeFromCheckpoint: resume }, plan))
  const trained = model.parameters().reduce((sum, { data: { length } }) => sum + length, 0)
  const { evaluate } = options
  return {
    steps: total,
    stepsPerEpoch,
    epochs: total / stepsPerEpoch,
    evaluationInterval: evaluate === undefined ? null : intervalOf(evaluate.everySteps ?? stepsPerEpoch, total),
    trained,
    addedBytes: trained * floatBytes * (1 + momentsOf(config)) + batchBytes(data.train, config, sizes) + runtimeBytes,
    ...(resumed && { resumed }),
    faults
  }
}
