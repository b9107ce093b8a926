// AdamW, numerically torch.optim.AdamW.
import { SwarmError } from '../../common/errors.ts'
import { chain, type Optimizer } from './optimizer.ts'
import { addDecayedWeights, scaleByAdam, scaleByLearningRate } from './transform.ts'

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
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    if (!(beta >= 0 && beta < 1)) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected [0, 1), found ${beta}`)
  }
  for (const [name, value] of Object.entries({ learningRate, epsilon, weightDecay })) {
    if (!(value >= 0 && value < Infinity)) {
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a number of at least 0, found ${value}`)
    }
  }
  return chain(
    { learningRate },
    scaleByAdam({ beta1, beta2, epsilon }),
    addDecayedWeights(weightDecay),
    scaleByLearningRate()
  )
}
