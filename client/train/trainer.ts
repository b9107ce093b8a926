// The training loop: batches in, optimizer steps out, progress after each. Knows no tuning method and no network.
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'
import { second } from '../../common/units.ts'
import { type AdamWOptions, adamw } from '../optim/adamw.ts'
import { clipGradNorm } from '../optim/clip.ts'
import { applyUpdates } from '../optim/optimizer.ts'
import { learningRateAt, type ScheduleName } from '../optim/schedules.ts'
import { clearGradients } from '../parameter.ts'
import { collate, countLabels, countTokens } from './collate.ts'
import { createLossScale, type LossScaleOption, unscaleGradients } from './loss-scale.ts'
import type { TrainableModel } from './model.ts'
import { type PlanOptions, planTraining } from './plan.ts'
import type { Example } from './tokenize.ts'

/** Measures that a run takes of its model now and then. */
export interface EvaluationHook {
  /** after every so many steps, and after the last */
  readonly everySteps: number
  run(step: number, options: { signal?: AbortSignal }): Promise<Readonly<Record<string, number>>>
}

export interface TrainOptions extends AdamWOptions, PlanOptions {
  /** the highest rate of the schedule */
  readonly learningRate: number
  /** fills shorter rows of a batch */
  readonly padTokenId: number
  /** default 'constant' */
  readonly schedule?: ScheduleName
  /** steps over which the learning rate rises from 0; default 0 */
  readonly warmupSteps?: number
  /** longer gradients are shortened to this norm; default 1, Infinity: never */
  readonly maxGradNorm?: number
  /** what the loss is multiplied by on its way back, for gradients that travel in float16; default 1 */
  readonly lossScale?: LossScaleOption
  readonly evaluate?: EvaluationHook
  readonly signal?: AbortSignal
  /** milliseconds of a steady clock; default `performance.now` */
  readonly now?: () => number
}

export interface TrainingProgress {
  /** steps done */
  readonly step: number
  readonly total: number
  /** passes over the examples done, with the fraction of the present one */
  readonly epoch: number
  /** mean over the labels of this step */
  readonly loss: number
  /** of this step */
  readonly learningRate: number
  /** before clipping; not finite where the step was skipped */
  readonly gradNorm: number
  /** of this step; a step whose gradients are not finite with a dynamic scale changes no parameter */
  readonly lossScale: number
  /** since the start, padding not counted, evaluation not timed */
  readonly tokensPerSecond: number
  readonly etaSeconds: number
  /** what the evaluation hook gave after this step */
  readonly evaluation?: Readonly<Record<string, number>>
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
}

function checkFinite(value: number, what: string, step: number): void {
  if (Number.isFinite(value)) return
  throw new SwarmError('NON_FINITE', `step ${step + 1}: ${what} is ${value} (is the learning rate too high?)`)
}

/** Gradients of one step over its batches; the mean loss per label. However the batches are cut, the sum is the same. */
async function accumulate(
  model: TrainableModel,
  batches: readonly (readonly Example[])[],
  step: number,
  { padTokenId, seed = 0, signal, scale }: TrainOptions & { scale: number }
): Promise<number> {
  const total = batches.reduce((sum, batch) => sum + countLabels(batch), 0)
  let mean = 0
  for (const [index, batch] of batches.entries()) {
    throwIfAborted(signal)
    const dropoutSeed = createRandom(seed, step, index).uint32()
    const { loss } = await model.forward(collate(batch, padTokenId), { training: true, seed: dropoutSeed, signal })
    checkFinite(loss.value, 'the loss', step)
    const share = countLabels(batch) / total
    mean += share * loss.value
    await loss.backward({ scale: share * scale, signal })
  }
  return mean
}

/**
 * Trains the parameters of the model that require a gradient, and gives its progress after every step. A step is
 * made only when the progress after it is asked for: leaving the loop stops training.
 * Throws INVALID_ARGUMENT for options that make no sense, NON_FINITE for a loss or gradient that is none (the
 * parameters are then those before the step), ABORTED by the signal, and whatever the model throws.
 */
export async function* train(
  model: TrainableModel,
  examples: readonly Example[],
  options: TrainOptions
): AsyncGenerator<TrainingProgress> {
  const { learningRate, schedule = 'constant', warmupSteps = 0, maxGradNorm = 1, evaluate, signal } = options
  const now = options.now ?? (() => performance.now())
  const plan = planTraining(examples.length, options)
  const optimizer = adamw(options)
  const parameters = model.parameters().filter(({ requiresGrad }) => requiresGrad)
  if (parameters.length === 0)
    throw new SwarmError('INVALID_ARGUMENT', 'training: the model has no trainable parameter')
  if (!(maxGradNorm > 0)) {
    throw new SwarmError('INVALID_ARGUMENT', `maxGradNorm: expected a number above 0, found ${maxGradNorm}`)
  }
  const lossScale = createLossScale(options.lossScale)
  let scaling = lossScale.initial
  let state = optimizer.init(parameters)
  let tokens = 0
  let elapsedMs = 0

  for (let step = 0; step < plan.total; step++) {
    const started = now()
    const batches = plan.batchesOf(step).map(batch => batch.map(index => examples[index]!))
    clearGradients(parameters)
    const { scale } = scaling
    const loss = await accumulate(model, batches, step, { ...options, scale })
    unscaleGradients(parameters, scale)
    const norm = clipGradNorm(parameters, maxGradNorm)
    if (!lossScale.dynamic) checkFinite(norm, 'the norm of the gradients', step)
    scaling = lossScale.next(scaling, Number.isFinite(norm))
    const rate = learningRateAt(schedule, step, { learningRate, warmupSteps, totalSteps: plan.total })
    if (Number.isFinite(norm)) {
      const result = optimizer.update(parameters, state, { learningRate: rate })
      state = result.state
      applyUpdates(parameters, result.updates)
      model.afterStep?.(step + 1)
    }

    elapsedMs += now() - started
    tokens += batches.reduce((sum, batch) => sum + countTokens(batch), 0)
    const done = step + 1
    const isDue = evaluate !== undefined && (done % evaluate.everySteps === 0 || done === plan.total)
    yield {
      step: done,
      total: plan.total,
      epoch: done / plan.stepsPerEpoch,
      loss,
      learningRate: rate,
      gradNorm: norm,
      lossScale: scale,
      tokensPerSecond: (tokens * second) / elapsedMs,
      etaSeconds: ((elapsedMs / done) * (plan.total - done)) / second,
      ...(isDue ? { evaluation: await evaluate.run(done, { signal }) } : {})
    }
  }
}
