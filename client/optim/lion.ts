// Lion, evolved sign momentum (Chen et al. 2023, arXiv 2302.06675, algorithm 2).
import { checkOptions } from '../../common/options.ts'
import { sizeOf } from '../../common/tensor.ts'
import { atLeastZero, shares } from './check.ts'
import { chain, type Optimizer } from './optimizer.ts'
import { addDecayedWeights, scaleByLearningRate, type Transform } from './transform.ts'

/** Settings with the paper's defaults. */
export interface LionOptions {
  /** of the steps that bring none of their own, default 1e-4 */
  readonly learningRate?: number
  /** share of the momentum in the direction of a step, default 0.9 */
  readonly beta1?: number
  /** share of the momentum that stays, default 0.99 */
  readonly beta2?: number
  /** share of a parameter that a step at learning rate 1 would take away, default 0 */
  readonly weightDecay?: number
}

/** The sign of `beta1 * momentum + (1 - beta1) * gradient`; after it the momentum takes the gradient in by beta2. */
function scaleByLion({ beta1, beta2 }: { readonly beta1: number; readonly beta2: number }): Transform {
  return {
    init: shape => ({ count: 0, moments: { momentum: new Float32Array(sizeOf(shape)) } }),
    update(gradient, { count, moments }) {
      const before = moments.momentum!
      const update = gradient.map((element, index) => Math.sign(beta1 * before[index]! + (1 - beta1) * element))
      const momentum = before.map((element, index) => beta2 * element + (1 - beta2) * gradient[index]!)
      return { update, state: { count: count + 1, moments: { momentum } } }
    }
  }
}

/** Throws INVALID_ARGUMENT for settings outside the method's domain. */
export function lion(options: LionOptions = {}): Optimizer {
  checkOptions('lion', options, { learningRate: true, beta1: true, beta2: true, weightDecay: true })
  const { learningRate = 1e-4, beta1 = 0.9, beta2 = 0.99, weightDecay = 0 } = options
  shares({ beta1, beta2 })
  atLeastZero({ learningRate, weightDecay })
  return chain({ learningRate }, scaleByLion({ beta1, beta2 }), addDecayedWeights(weightDecay), scaleByLearningRate())
}
