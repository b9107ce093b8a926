// How the run of a trainer is kept: when a checkpoint is due, where it goes on, and what an error says about it.
import { SwarmError } from '../../common/errors.ts'
import { Checkpoints, hashExamples, lastGood, type RunIdentity } from './checkpoint/index.ts'
import type { Example } from './data/index.ts'
import type { TrainableModel } from './model.ts'
import type { Resumed, TrainOptions } from './options.ts'
import { intervalOf, isInterval, type TrainingPlan } from './plan.ts'
import type { TrainingState } from './state.ts'

const defaultSaveSteps = 500

/**
 * The settings that decide what a run computes; where it is kept, how it is shown and what it is told to stop by are not.
 * Nor is its length, as in Hugging Face's Trainer: a run may go on as a longer one, whose learning rates its next steps have.
 */
function settingsOf(options: TrainOptions): Record<string, unknown> {
  const { outputDir, saveSteps, saveStrategy, saveTotalLimit, resumeFromCheckpoint, onResume, identity, ...settings } =
    options
  const { numTrainEpochs, maxSteps, signal, now, evaluate, ...others } = settings
  return others
}

/** What a checkpoint must agree with before this run goes on from it. */
async function identityOf(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions
): Promise<RunIdentity> {
  const dataset = { examples: examples.length, sha256: await hashExamples(examples) }
  return { ...model.fingerprint?.(), dataset, training: settingsOf(options), ...options.identity }
}

/** What a run keeps. Without a folder nothing is kept, and all of this does nothing. */
export interface CheckpointKeeper {
  /** where the run begins: the checkpoint that it goes on from, else `initial` */
  begin(initial: TrainingState): Promise<TrainingState>
  /** saves where a checkpoint is due */
  afterStep(state: TrainingState): Promise<void>
  /** saves the end, and puts the best parameters into the model where that is asked for */
  end(state: TrainingState): Promise<void>
  /** the error that a run ends with: what it has learned is saved, but where that is no longer finite, and named */
  failed(error: unknown, state: TrainingState): Promise<unknown>
}

const nothing: CheckpointKeeper = {
  begin: async initial => initial,
  async afterStep() {},
  async end() {},
  failed: async error => error
}

/** Throws INVALID_ARGUMENT where the measure that the run goes by is not among those taken; undefined: not known. */
export function checkMeasure(
  { metricForBestModel = 'loss', loadBestModelAtEnd, earlyStoppingPatience }: TrainOptions,
  measures: readonly string[] | undefined
): void {
  const isNeeded = loadBestModelAtEnd || earlyStoppingPatience !== undefined
  if (!isNeeded || (measures ?? [metricForBestModel]).includes(metricForBestModel)) return
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `metricForBestModel: expected one of ${measures!.join(', ')}, found '${metricForBestModel}'`
  )
}

/** The checkpoint that a run goes on from, loaded into the model. Throws INVALID_ARGUMENT for one of another run, or beyond its end. */
async function loadFrom(checkpoints: Checkpoints, from: string | true, total: number) {
  const path = from === true ? await checkpoints.newest() : from
  const state = await checkpoints.load(path)
  const { step, total: totalBefore } = state
  if (step > total) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${path}: ${step} steps are done, but the run has ${total} in all (raise maxSteps or numTrainEpochs)`
    )
  }
  return { state: { ...state, total }, resumed: { path, step, total, totalBefore } }
}

/**
 * Where a run would go on, its checkpoint loaded into the model; the folder stays as it is. Throws as `keepRun`, NOT_FOUND,
 * BAD_CHECKPOINT.
 */
export async function findResume(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions & { readonly outputDir: string; readonly resumeFromCheckpoint: string | true },
  { total }: Pick<TrainingPlan, 'total'>
): Promise<Resumed> {
  const run = await identityOf(model, examples, options)
  const checkpoints = new Checkpoints({ model }, { directory: options.outputDir, run })
  return (await loadFrom(checkpoints, options.resumeFromCheckpoint, total)).resumed
}

/** Throws INVALID_ARGUMENT where the options contradict each other. */
function checkCheckpointing(options: TrainOptions): void {
  const { outputDir, saveSteps = defaultSaveSteps, saveTotalLimit: limit, evaluate } = options
  if (!(Number.isSafeInteger(limit ?? 1) && (limit ?? 1) > 0)) {
    throw new SwarmError('INVALID_ARGUMENT', `saveTotalLimit: expected a whole number above 0, found ${limit}`)
  }
  for (const [name, value] of Object.entries({ saveSteps, everySteps: evaluate?.everySteps ?? 1 })) {
    if (isInterval(value)) continue
    const expected = 'a whole number of steps above 0, or a share of all steps below 1'
    throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${value}`)
  }
  if (options.saveStrategy === 'best' && evaluate === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', "saveStrategy 'best': expected an evaluation beside it")
  }
  if (options.loadBestModelAtEnd && (evaluate === undefined || outputDir === undefined)) {
    throw new SwarmError('INVALID_ARGUMENT', 'loadBestModelAtEnd: expected an evaluation and an outputDir beside it')
  }
  if (options.earlyStoppingPatience !== undefined && evaluate === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'earlyStoppingPatience: expected an evaluation beside it')
  }
  checkMeasure(options, evaluate?.measures)
}

/** Throws INVALID_ARGUMENT where the options contradict each other or the folder holds another run's checkpoints. */
export async function keepCheckpoints(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions,
  { total, stepsPerEpoch }: Pick<TrainingPlan, 'total' | 'stepsPerEpoch'>
): Promise<CheckpointKeeper> {
  const { outputDir, saveSteps = defaultSaveSteps, saveTotalLimit: limit, resumeFromCheckpoint: from } = options
  const { loadBestModelAtEnd = false, saveStrategy = 'steps' } = options
  checkCheckpointing(options)
  if (outputDir === undefined) {
    if (from === undefined) return nothing
    throw new SwarmError('INVALID_ARGUMENT', 'resumeFromCheckpoint: expected the run’s outputDir beside it')
  }
  const run = await identityOf(model, examples, options)
  const checkpoints = new Checkpoints({ model }, { directory: outputDir, run, limit })
  const interval = { no: undefined, best: undefined, steps: intervalOf(saveSteps, total), epoch: stepsPerEpoch }[
    saveStrategy
  ]
  let savedStep = 0
  const save = async (state: TrainingState): Promise<void> => {
    if (state.step === savedStep) return
    await checkpoints.save(state)
    savedStep = state.step
  }
  const resume = async (path: string | true): Promise<TrainingState> => {
    const { state, resumed } = await loadFrom(checkpoints, path, total)
    savedStep = state.step
    options.onResume?.(resumed)
    return state
  }
  return {
    async begin(initial) {
      await checkpoints.clean()
      if (from !== undefined) return await resume(from)
      const [first] = await checkpoints.steps()
      if (first === undefined) return initial
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${outputDir}: already contains checkpoints of a run: resume it, or choose another folder`
      )
    },
    async afterStep(state) {
      const isBest = state.evaluatedStep === state.step && state.best?.step === state.step
      const isKept = isBest && (loadBestModelAtEnd || saveStrategy === 'best')
      if (isKept || (interval !== undefined && state.step % interval === 0)) await save(state)
    },
    async end(state) {
      await save(state)
      if (loadBestModelAtEnd && state.best !== null) await checkpoints.load(checkpoints.pathOf(state.best.step))
    },
    async failed(error, state) {
      if (!(error instanceof SwarmError) || error.message.includes(lastGood)) return error
      const { code, retryable } = error
      if (code === 'NON_FINITE') {
        const good =
          checkpoints.last === null ? 'no checkpoint was saved before it' : `${lastGood}: ${checkpoints.last}`
        return new SwarmError(code, `${error.message}; ${good}`, { cause: error })
      }
      if (state.step === 0 && code !== 'ABORTED') return error
      if (state.step === 0) {
        return new SwarmError(code, `interrupted before the first of ${total} steps; no checkpoint was saved`, {
          cause: error
        })
      }
      const what = code === 'ABORTED' ? `interrupted at step ${state.step} of ${total}` : error.message
      const where = await save(state).then(
        () => `resume from ${checkpoints.last}`,
        (failure: unknown) => (failure instanceof Error ? failure.message : String(failure))
      )
      return new SwarmError(code, `${what}; ${where}`, { cause: error, retryable })
    }
  }
}
