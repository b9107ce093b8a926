// How the run of a trainer is kept: when a checkpoint is due, where it goes on, and what an error says about it.
import { SwarmError } from '../../common/errors.ts'
import { dependsOnLength } from '../optim/index.ts'
import { Checkpoints, hashExamples, lastGood, type RunIdentity } from './checkpoint/index.ts'
import type { Example } from './data/index.ts'
import type { TrainableModel } from './model.ts'
import type { TrainOptions } from './options.ts'
import type { TrainingState } from './state.ts'

const defaultSaveSteps = 500

/**
 * The settings that decide what a run computes; where it is kept, how it is shown and what it is told to stop by are not.
 * Nor is its length, where the steps before would be the same in a longer run: then it may grow.
 */
function settingsOf(options: TrainOptions, total: number): Record<string, unknown> {
  const { outputDir, saveSteps, saveTotalLimit, resumeFromCheckpoint, identity, signal, now, evaluate, ...settings } =
    options
  const { numTrainEpochs, maxSteps, ...others } = settings
  const isPartOfAll = dependsOnLength(settings.lrSchedulerType ?? 'constant', settings)
  return isPartOfAll ? { ...others, totalSteps: total } : others
}

/** What a checkpoint must agree with before this run goes on from it. */
async function identityOf(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions,
  total: number
): Promise<RunIdentity> {
  const dataset = { examples: examples.length, sha256: await hashExamples(examples) }
  return { ...model.fingerprint?.(), dataset, training: settingsOf(options, total), ...options.identity }
}

/** What a run keeps. Without a folder nothing is kept, and all of this does nothing. */
export interface Keeping {
  /** where the run begins: the checkpoint that it goes on from, else `initial` */
  begin(initial: TrainingState): Promise<TrainingState>
  /** saves where a checkpoint is due */
  afterStep(state: TrainingState): Promise<void>
  /** puts the best parameters into the model, where that is asked for */
  end(state: TrainingState): Promise<void>
  /** the error that a run ends with: what it had learned is saved where it was interrupted, and named */
  failed(error: unknown, state: TrainingState): Promise<unknown>
}

const nothing: Keeping = {
  begin: async initial => initial,
  async afterStep() {},
  async end() {},
  failed: async error => error
}

/** Throws INVALID_ARGUMENT where the options contradict each other or the folder holds another run's checkpoints. */
export async function keepRun(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions,
  total: number
): Promise<Keeping> {
  const { outputDir, saveSteps = defaultSaveSteps, saveTotalLimit: limit, resumeFromCheckpoint: from } = options
  const { loadBestModelAtEnd = false, evaluate } = options
  for (const [name, value] of Object.entries({ saveSteps, saveTotalLimit: limit ?? 1 })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number above 0, found ${value}`)
  }
  if (loadBestModelAtEnd && (evaluate === undefined || outputDir === undefined)) {
    throw new SwarmError('INVALID_ARGUMENT', 'loadBestModelAtEnd: expected an evaluation and an outputDir beside it')
  }
  if (options.earlyStoppingPatience !== undefined && evaluate === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'earlyStoppingPatience: expected an evaluation beside it')
  }
  if (outputDir === undefined) {
    if (from === undefined) return nothing
    throw new SwarmError('INVALID_ARGUMENT', 'resumeFromCheckpoint: expected the run’s outputDir beside it')
  }
  const run = await identityOf(model, examples, options, total)
  const checkpoints = new Checkpoints({ model }, { directory: outputDir, run, limit })
  return {
    async begin(initial) {
      await checkpoints.clean()
      if (from !== undefined) return await checkpoints.load(from === true ? await checkpoints.newest() : from)
      const [first] = await checkpoints.steps()
      if (first === undefined) return initial
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${outputDir}: holds checkpoints of a run already: resume it, or choose another folder`
      )
    },
    async afterStep(state) {
      const isBest = loadBestModelAtEnd && state.evaluatedStep === state.step && state.best?.step === state.step
      if (state.step % saveSteps === 0 || isBest) await checkpoints.save(state)
    },
    async end(state) {
      if (loadBestModelAtEnd && state.best !== null) await checkpoints.load(checkpoints.pathOf(state.best.step))
    },
    async failed(error, state) {
      if (!(error instanceof SwarmError)) return error
      if (error.code === 'ABORTED') {
        const isSaved = state.step === 0 || checkpoints.last === checkpoints.pathOf(state.step)
        if (!isSaved) await checkpoints.save(state)
        const where = checkpoints.last === null ? 'before the first step' : `resume from ${checkpoints.last}`
        return new SwarmError('ABORTED', `interrupted at step ${state.step} of ${total}; ${where}`, { cause: error })
      }
      const isNews = checkpoints.last !== null || error.code === 'NON_FINITE'
      if (error.code === 'DISK_FULL' || !isNews) return error
      const good = checkpoints.last === null ? 'no checkpoint was saved before it' : `${lastGood}: ${checkpoints.last}`
      return new SwarmError(error.code, `${error.message}; ${good}`, { cause: error, retryable: error.retryable })
    }
  }
}
