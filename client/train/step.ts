// One optimizer step: gradients of its batches, clipping, update. Knows neither the run around it nor where it is kept.
import { throwIfAborted } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'
import { clearGradients } from '../local/parameter.ts'
import { clipGradNorm, createOptimizer, learningRateAt, warmupStepsOf } from '../optim/index.ts'
import { applyUpdates } from '../optim/optimizer.ts'
import { collate, countLabels, countTokens, exampleLength } from './collate.ts'
import { type Example, ignoredLabel } from './data/example.ts'
import { inOrder } from './in-order.ts'
import { forwardBatch } from './inputs.ts'
import { createLossScale, unscaleGradients } from './loss-scale.ts'
import type { Traffic, TrainableModel } from './model.ts'
import { defaultLearningRate, type TrainOptions } from './options.ts'
import { planTraining } from './plan.ts'
import type { TrainingState } from './state.ts'

export interface StepResult {
  /** mean over the labels of the step */
  readonly loss: number
  readonly learningRate: number
  /** before clipping */
  readonly gradNorm: number
  readonly lossScale: number
  /** padding not counted */
  readonly tokens: number
  readonly traffic: Traffic | null
}

function checkFinite(value: number, what: string, step: number): void {
  if (Number.isFinite(value)) return
  throw new SwarmError('NON_FINITE', `step ${step + 1}: ${what} is ${value} (is the learning rate too high?)`)
}

/** A run's steps: what they are made with, and the making of one after the other. */
export class Steps {
  readonly #model: TrainableModel
  readonly #examples: readonly Example[]
  readonly #options: TrainOptions
  readonly #optimizer
  readonly #lossScale
  readonly plan
  /** that took part in the last step */
  #servers = 1

  /** Throws INVALID_ARGUMENT for invalid options, and for a model without trainable parameters. */
  constructor(model: TrainableModel, examples: readonly Example[], options: TrainOptions) {
    const { learningRate = defaultLearningRate, maxGradNorm = 1, labelSmoothingFactor: smoothing = 0 } = options
    for (const [name, value] of Object.entries({ learningRate, maxGradNorm })) {
      if (value >= 0) continue
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a number of at least 0, found ${value}`)
    }
    if (!(smoothing >= 0 && smoothing < 1)) {
      throw new SwarmError('INVALID_ARGUMENT', `labelSmoothingFactor: expected [0, 1), found ${smoothing}`)
    }
    this.#model = model
    this.#examples = examples
    this.#options = options
    const { optim, weightDecay, adamBeta1, adamBeta2, adamEpsilon, optimArgs } = options
    this.#optimizer = createOptimizer({ optim, weightDecay, adamBeta1, adamBeta2, adamEpsilon, optimArgs })
    this.#lossScale = createLossScale(options.lossScale)
    this.plan = planTraining(examples.map(exampleLength), options)
    if (this.#parameters.length === 0)
      throw new SwarmError('INVALID_ARGUMENT', 'training: the model has no trainable parameter')
  }

  get #parameters() {
    return this.#model.parameters().filter(({ requiresGrad }) => requiresGrad)
  }

  /** The state before the first step. */
  initial(): TrainingState {
    const optimizer = this.#optimizer.init(this.#parameters)
    const lossScale = this.#lossScale.initial
    return {
      step: 0,
      total: this.plan.total,
      optimizer,
      lossScale,
      evaluatedStep: 0,
      best: null,
      withoutImprovement: 0
    }
  }

  /** Runs the step after a state. If it throws, the parameters are unchanged. */
  async make(state: TrainingState): Promise<{ result: StepResult; state: TrainingState }> {
    const { step } = state
    const { maxGradNorm = 1 } = this.#options
    const { scale } = state.lossScale
    const parameters = this.#parameters
    const batches = this.plan.batchesOf(step).map(batch => batch.map(index => this.#examples[index]!))
    clearGradients(parameters)
    const loss = await this.#accumulate(batches, step, scale)
    unscaleGradients(parameters, scale)
    const gradNorm = clipGradNorm(parameters, maxGradNorm === 0 ? Infinity : maxGradNorm)
    if (!this.#lossScale.dynamic) checkFinite(gradNorm, 'the norm of the gradients', step)
    const lossScale = this.#lossScale.next(state.lossScale, Number.isFinite(gradNorm))
    const learningRate = this.#rateAt(step)
    let { optimizer } = state
    if (Number.isFinite(gradNorm)) {
      const result = this.#optimizer.update(parameters, optimizer, { learningRate })
      optimizer = result.state
      applyUpdates(parameters, result.updates)
      this.#model.afterStep?.(step + 1)
    }
    const traffic = this.#model.traffic?.() ?? null
    this.#servers = Math.max(1, traffic?.peers ?? 1)
    const tokens = batches.reduce((sum, batch) => sum + countTokens(batch), 0)
    return {
      result: { loss, learningRate, gradNorm, lossScale: scale, tokens, traffic },
      state: { ...state, step: step + 1, optimizer, lossScale }
    }
  }

  #rateAt(step: number): number {
    const {
      learningRate = defaultLearningRate,
      lrSchedulerType = 'constant',
      lrSchedulerKwargs: kwargs
    } = this.#options
    const totalSteps = this.plan.total
    const warmupSteps = warmupStepsOf(this.#options, totalSteps)
    return learningRateAt(lrSchedulerType, step, { learningRate, warmupSteps, totalSteps, kwargs })
  }

  /**
   * Gradients of a step's batches; the mean loss per label. However the batches are cut, the sum is the same; they are under
   * way together, and their gradients are added in their order.
   */
  async #accumulate(batches: readonly (readonly Example[])[], step: number, scale: number): Promise<number> {
    const { padTokenId, seed = 0, labelSmoothingFactor: labelSmoothing } = this.#options
    const counts = batches.map(batch => countLabels(batch, this.#model))
    const total = counts.reduce((sum, count) => sum + count, 0)
    if (total === 0)
      throw new SwarmError('INVALID_ARGUMENT', `step ${step + 1}: the batch has no labels (all are ${ignoredLabel}?)`)
    // one at each server, and one at the client. Each server keeps its part of their activations: together about a batch
    const run = { width: this.#servers + 1, signal: this.#options.signal }
    const losses = await inOrder(batches, run, async (batch, index, { after, signal }) => {
      // the loss of such a batch is undefined
      if (counts[index] === 0) return 0
      const dropoutSeed = createRandom(seed, step, index).uint32()
      const forward = { training: true, seed: dropoutSeed, labelSmoothing, signal }
      const { loss } = await forwardBatch(this.#model, collate(batch, padTokenId), forward)
      checkFinite(loss.value, 'the loss', step)
      const share = counts[index]! / total
      throwIfAborted(signal)
      await loss.backward({ scale: share * scale, after, signal })
      return share * loss.value
    })
    return losses.reduce((sum, loss) => sum + loss, 0)
  }
}
