// Stochastic gradient descent, numerically torch.optim.SGD.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import { sizeOf } from '../../common/tensor.ts'
import { atLeastZero } from './check.ts'
import { chain, type Optimizer } from './optimizer.ts'
import { addDecayedWeights, scaleByLearningRate, type Transform } from './transform.ts'

/** Settings with torch's defaults. */
export interface SgdOptions {
  /** of the steps that bring none of their own, default 1e-3 */
  readonly learningRate?: number
  /** share of the last direction that is kept, default 0 */
  readonly momentum?: number
  /** share of the gradient that does not enter the direction, default 0 */
  readonly dampening?: number
  /** looks one step ahead; needs momentum and no dampening. Default false */
  readonly nesterov?: boolean
  /** times the parameter, added to the gradient before momentum. Default 0 */
  readonly weightDecay?: number
}

/** The running direction `momentum * direction + (1 - dampening) * gradient`; the first one is the gradient itself. */
export function trace({
  momentum,
  dampening,
  nesterov
}: Required<Omit<SgdOptions, 'learningRate' | 'weightDecay'>>): Transform {
  return {
    init: shape => ({ count: 0, moments: { direction: new Float32Array(sizeOf(shape)) } }),
    update(gradient, { count, moments }) {
      const direction =
        count === 0
          ? gradient.slice()
          : moments.direction!.map((element, index) => momentum * element + (1 - dampening) * gradient[index]!)
      const update = nesterov ? gradient.map((element, index) => element + momentum * direction[index]!) : direction
      return { update, state: { count: count + 1, moments: { direction } } }
    }
  }
}

/** Throws INVALID_ARGUMENT for settings outside the method's domain. */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkOptions('sgd', options, {
    learningRate: true,
    momentum: true,
    dampening: true,
    nesterov: true,
    weightDecay: true
  })
  const { learningRate = 1e-3, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options
  atLeastZero({ learningRate, momentum, weightDecay })
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new SwarmError('INVALID_ARGUMENT', 'nesterov: expected momentum above 0 and no dampening')
  }
  const directions = momentum === 0 ? [] : [trace({ momentum, dampening, nesterov })]
  return chain({ learningRate }, addDecayedWeights(weightDecay), ...directions, scaleByLearningRate())
}
