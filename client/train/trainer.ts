// The training loop: batches in, optimizer steps out, progress after each. Knows no tuning method and no network.
import { runStage } from '../../common/progress.ts'
import { second } from '../../common/units.ts'
import { checkMeasure, keepCheckpoints } from './checkpointing.ts'
import type { Example } from './data/index.ts'
import type { TrainableModel } from './model.ts'
import { checkTrainOptions, type EvaluationHook, type TrainingProgress, type TrainOptions } from './options.ts'
import { intervalOf } from './plan.ts'
import { judged, stopsEarly, type TrainingState } from './state.ts'
import { Steps } from './step.ts'

/**
 * Trains the parameters of the model that require a gradient, and gives its progress after every step. A step is
 * made only when the progress after it is asked for, and a checkpoint is written when the next one is: leaving the loop
 * stops training. With a folder it saves where it is when it ends, whether by its last step, by the signal or by an error.
 * Throws INVALID_ARGUMENT for options that make no sense and a checkpoint of another run, NON_FINITE for a loss or
 * gradient that is none (the parameters are then those before the step, and nothing is saved), DISK_FULL, ABORTED by the signal,
 * and whatever the model throws; with the checkpoint to go on from in the message.
 */
export async function* train(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions
): AsyncGenerator<TrainingProgress> {
  checkTrainOptions('train', options)
  const now = options.now ?? (() => performance.now())
  const steps = new Steps(model, examples, options)
  const { total, stepsPerEpoch } = steps.plan
  const kept = await keepCheckpoints(model, examples, options, steps.plan)
  let state = await kept.begin(steps.initial())
  const first = state.step
  let [tokens, elapsedMs] = [0, 0]

  try {
    // a run that was interrupted between a step and its evaluation
    if (first > 0 && isDue(options.evaluate, state, steps.plan)) state = (await evaluated(state, options)).state
    while (state.step < total && !stopsEarly(state, options)) {
      const started = now()
      const making = (): ReturnType<Steps['make']> => steps.make(state)
      const made = await (state.step === first ? runStage(options.onProgress, { stage: 'prepare' }, making) : making())
      state = made.state
      elapsedMs += now() - started
      tokens += made.result.tokens
      let evaluation: TrainingProgress['evaluation']
      if (isDue(options.evaluate, state, steps.plan)) ({ state, evaluation } = await evaluated(state, options))
      const { step } = state
      const { loss, learningRate, gradNorm, lossScale } = made.result
      yield {
        step,
        total,
        epoch: step / stepsPerEpoch,
        loss,
        learningRate,
        gradNorm,
        lossScale,
        tokensPerSecond: (tokens * second) / elapsedMs,
        etaSeconds: ((elapsedMs / (step - first)) * (total - step)) / second,
        ...(evaluation && { evaluation }),
        ...(step < total && stopsEarly(state, options) ? { stopsEarly: true } : {}),
        traffic: made.result.traffic
      }
      await kept.afterStep(state)
    }
    await kept.end(state)
  } catch (error) {
    throw await kept.failed(error, state)
  }
}

/** Whether the state's last step asks for an evaluation that has not been made. */
function isDue(
  hook: EvaluationHook | undefined,
  { step, evaluatedStep }: TrainingState,
  { total, stepsPerEpoch }: Steps['plan']
): boolean {
  if (hook === undefined || evaluatedStep === step) return false
  return step % intervalOf(hook.everySteps ?? stepsPerEpoch, total) === 0 || step === total
}

/** Throws INVALID_ARGUMENT where the measure that counts is not among those taken, and it is needed. */
async function evaluated(state: TrainingState, options: TrainOptions) {
  const { evaluate, metricForBestModel = 'loss', signal, onProgress } = options
  const evaluation = await evaluate!.run(state.step, { signal, onProgress })
  const metric = evaluation[metricForBestModel]
  if (metric !== undefined) return { evaluation, state: judged(state, metric, options) }
  checkMeasure(options, Object.keys(evaluation))
  return { evaluation, state: { ...state, evaluatedStep: state.step } }
}
