// AdamW, numerically torch.optim.AdamW.
import { checkOptions } from '../../common/options.ts'
import { sizeOf } from '../../common/tensor.ts'
import { atLeastZero, shares } from './check.ts'
import { chain, type Optimizer } from './optimizer.ts'
import { addDecayedWeights, scaleByLearningRate, type Transform } from './transform.ts'

export interface AdamMoments {
  /** decay of the first moment, in [0, 1) */
  readonly beta1: number
  /** decay of the second moment, in [0, 1) */
  readonly beta2: number
  /** added to the root of the second moment, outside of it */
  readonly epsilon: number
}

/**
 * Adam's direction with bias correction (Kingma and Ba 2015, algorithm 1), in the form that torch computes:
 * `m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)`.
 */
function scaleByAdam({ beta1, beta2, epsilon }: AdamMoments): Transform {
  return {
    init(shape) {
      const size = sizeOf(shape)
      return { count: 0, moments: { first: new Float32Array(size), second: new Float32Array(size) } }
    },
    update(gradient, { count: steps, moments }) {
      const count = steps + 1
      const first = moments.first!.map((element, index) => beta1 * element + (1 - beta1) * gradient[index]!)
      const second = moments.second!.map((element, index) => beta2 * element + (1 - beta2) * gradient[index]! ** 2)
      const correction1 = 1 - beta1 ** count
      const correction2 = Math.sqrt(1 - beta2 ** count)
      const update = first.map(
        (element, index) => element / correction1 / (Math.sqrt(second[index]!) / correction2 + epsilon)
      )
      return { update, state: { count, moments: { first, second } } }
    }
  }
}

/** Settings with torch's defaults. */
export interface AdamWOptions {
  /** of the steps that bring none of their own, default 1e-3 */
  readonly learningRate?: number
  /** decay of the mean of gradients, default 0.9 */
  readonly beta1?: number
  /** decay of the mean of squared gradients, default 0.999 */
  readonly beta2?: number
  /** default 1e-8 */
  readonly epsilon?: number
  /** share of a parameter that a step at learning rate 1 would take away, default 0.01 */
  readonly weightDecay?: number
}

/** Throws INVALID_ARGUMENT for settings outside the method's domain. */
export function adamw(options: AdamWOptions = {}): Optimizer {
  checkOptions('adamw', options, { learningRate: true, beta1: true, beta2: true, epsilon: true, weightDecay: true })
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options
  shares({ beta1, beta2 })
  atLeastZero({ learningRate, epsilon, weightDecay })
  return chain(
    { learningRate },
    scaleByAdam({ beta1, beta2, epsilon }),
    addDecayedWeights(weightDecay),
    scaleByLearningRate()
  )
}
