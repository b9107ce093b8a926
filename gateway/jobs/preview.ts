// Previews a job before it exists: what it would learn, and how long that would take. Knows no HTTP and no queue.
import { join } from 'node:path'
import {
  type DataSummary,
  getPeftModel,
  type PreviewToken,
  previewTokens,
  summarizeData,
  type TrainConfig,
  type TrainingData,
  type TrainingPlan,
  toPeftConfig,
  toTrainOptions,
  train,
  writeConfigYaml
} from '../../client/index.ts'
import { SerialQueue, throwIfAborted } from '../../common/async.ts'
import { plural } from '../../common/plural.ts'
import { second } from '../../common/units.ts'
import { invalid } from '../errors.ts'
import type { ModelRegistry } from '../models/registry.ts'
import { loadJobData, placesOver, type TrainableBase, trainableBase, virtualTokensOf } from './data.ts'
import type { FileKeeper } from './file-keeper.ts'
import type { JobRequest } from './job.ts'
import { planOf, runConfigOf } from './settings.ts'
import { padTokenIdOf } from './training.ts'

/** Examples of a range of lengths. */
export interface LengthBin {
  /** tokens, from `from` to below `to` */
  readonly from: number
  readonly to: number
  readonly count: number
}

export interface JobPreview {
  readonly config: TrainConfig
  /** the run's YAML for `swarm train --config`; its files are called as they were uploaded */
  readonly yaml: string
  /** lines for a person: format, counts, what is skipped and cut */
  readonly description: readonly string[]
  readonly training: DataSummary
  readonly validation: DataSummary | null
  readonly emptyRows: number
  /** most tokens of an example, and what longer ones mean */
  readonly maxLength: number
  readonly tooLong: number
  /** whether longer ones are cut; else the job fails for them */
  readonly truncates: boolean
  readonly lengths: readonly LengthBin[]
  readonly steps: number
  readonly stepsPerEpoch: number
  /** numbers that are trained */
  readonly parameters: number
  readonly examples: readonly (readonly PreviewToken[])[]
}

export interface PreviewSettings {
  /** examples to show, from the first on */
  readonly examples: number
  readonly signal?: AbortSignal
}

const bins = 20

/** Examples by their lengths, in ranges of the same width from the shortest to the longest. */
function histogram(lengths: readonly number[]): LengthBin[] {
  const shortest = lengths.reduce((least, length) => Math.min(least, length), Infinity)
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0)
  if (lengths.length === 0) return []
  const width = Math.max(1, Math.ceil((longest - shortest + 1) / bins))
  const counts = Array.from({ length: Math.floor((longest - shortest) / width) + 1 }, () => 0)
  for (const length of lengths) counts[Math.floor((length - shortest) / width)]! += 1
  return counts.map((count, index) => {
    const from = shortest + index * width
    return { from, to: from + width, count }
  })
}

interface Draft {
  readonly base: TrainableBase
  readonly config: TrainConfig
  /** lengths of all examples, none refused or cut */
  readonly lengths: readonly number[]
  /** most tokens of an example */
  readonly maxLength: number
  /** examples with more */
  readonly tooLong: number
  /** as the run has it; with examples that are too long as one that cuts them */
  readonly data: TrainingData
  readonly plan: TrainingPlan
}

export class JobPreviewer {
  readonly #models: ModelRegistry
  readonly #files: FileKeeper
  /** files are read one at a time: a reader holds all examples in memory */
  readonly #turns = new SerialQueue()

  constructor({ models, files }: { models: ModelRegistry; files: FileKeeper }) {
    this.#models = models
    this.#files = files
  }

  /**
   * Throws ApiError 400 for invalid settings, 404 for an unknown model or file; INVALID_ARGUMENT with the file's name
   * and line for what is wrong with the data.
   */
  async preview(request: JobRequest, { examples: shown, signal }: PreviewSettings): Promise<JobPreview> {
    const { base, config, data, plan, lengths, maxLength, tooLong } = await this.#draft(request, signal)
    const tuned = await getPeftModel(base.model, toPeftConfig(config.peft, plan.total), { seed: config.seed, signal })
    const parameters = tuned.parameters().reduce((sum, { data: { length } }) => sum + length, 0)
    await tuned.unload()
    return {
      config,
      yaml: writeConfigYaml(this.#shown(config, request)),
      description: data.description,
      training: summarizeData(data.train),
      validation: data.validation.length > 0 ? summarizeData(data.validation) : null,
      emptyRows: data.emptyRows,
      maxLength,
      tooLong,
      truncates: config.truncate,
      lengths: histogram(lengths),
      steps: plan.total,
      stepsPerEpoch: plan.stepsPerEpoch,
      parameters,
      examples: data.train.slice(0, shown).map(example => previewTokens(example, base.tokenizer, { task: data.task }))
    }
  }

  /**
   * How long the job would run: two steps of it are made over the swarm, and the second is timed; nothing of them is kept. Throws as
   * `preview`, and what the way through the servers throws.
   */
  async estimate(request: JobRequest, signal?: AbortSignal) {
    const { base, config, data, plan, tooLong, maxLength } = await this.#draft(request, signal)
    if (tooLong > 0 && !config.truncate) {
      const examples = plural(tooLong, 'example')
      throw invalid(
        `${examples} longer than ${maxLength} tokens: the job would fail; set swarmtune.truncate to cut them, or leave them out`,
        'swarmtune.truncate'
      )
    }
    const examples = data.train
    const lengths = examples.map(({ ids }) => ids.length)
    const tokensOf = (step: number): number =>
      plan
        .batchesOf(step)
        .flat()
        .reduce((sum, example) => sum + lengths[example]!, 0)
    const tuned = await getPeftModel(base.model, toPeftConfig(config.peft, plan.total), { seed: config.seed, signal })
    try {
      const { outputDir, loadBestModelAtEnd, earlyStoppingPatience, saveStrategy, ...options } = toTrainOptions(config)
      const times: number[] = [performance.now()]
      const running = { ...options, maxSteps: 2, padTokenId: padTokenIdOf(base), signal }
      for await (const _ of train(tuned, examples, running)) times.push(performance.now())
      const measured = (times[2]! - times[1]!) / second
      const perToken = measured / tokensOf(1)
      // an epoch's tokens are the same in each of them
      const epochTokens = lengths.reduce((sum, length) => sum + length, 0)
      const tokens = epochTokens * (plan.total / plan.stepsPerEpoch)
      return {
        steps: plan.total,
        tokens: Math.round(tokens),
        secondsPerStep: (perToken * tokens) / plan.total,
        tokensPerSecond: 1 / perToken,
        seconds: perToken * tokens
      }
    } finally {
      await tuned.unload()
    }
  }

  /** The run's YAML, with the owner's names of files and the output folder for `swarm train`. */
  #shown(config: TrainConfig, { trainingFile, validationFile, suffix }: JobRequest): TrainConfig {
    return {
      ...config,
      train_file: this.#files.get(trainingFile).filename,
      ...(validationFile !== null && { validation_file: this.#files.get(validationFile).filename }),
      output_dir: join('runs', suffix ?? 'fine-tuned')
    }
  }

  #draft(request: JobRequest, signal: AbortSignal | undefined): Promise<Draft> {
    return this.#turns.run(() => {
      throwIfAborted(signal)
      return this.#read(request, signal)
    })
  }

  async #read(request: JobRequest, signal: AbortSignal | undefined): Promise<Draft> {
    const base = trainableBase(this.#models, request.model)
    const training = this.#files.get(request.trainingFile, 'training_file')
    const validation =
      request.validationFile === null ? null : this.#files.get(request.validationFile, 'validation_file')
    const paths = { train: this.#files.pathOf(training), validation: validation && this.#files.pathOf(validation) }
    const names = {
      [paths.train]: training.filename,
      ...(validation !== null && { [paths.validation!]: validation.filename })
    }
    const places = {
      ...placesOver(base),
      trainFile: paths.train,
      validationFile: paths.validation,
      folder: 'runs'
    }
    const draft = runConfigOf(request, places, 1)
    const load = (config: TrainConfig, unlimited = false) => loadJobData(base, config, { names, signal, unlimited })
    const maxLength = Math.min(
      draft.max_seq_length ?? Number.POSITIVE_INFINITY,
      base.contextLength - virtualTokensOf(draft.peft)
    )
    // a long text is cut into pieces, not truncated
    const isText = /\.txt(\.gz)?$/.test(paths.train)
    const lengths = (await load(draft, !isText)).train.map(({ ids }) => ids.length)
    const tooLong = lengths.filter(length => length > maxLength).length
    const data = await load(tooLong > 0 ? { ...draft, truncate: true } : draft)
    const { config, plan } = planOf(request, places, data)
    return { base, config, data, plan, lengths, maxLength, tooLong }
  }
}
