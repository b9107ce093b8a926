// Loss scaling: the loss is multiplied before its gradient is taken, so that small gradients survive in float16, and
// the gradients are divided again before the optimizer sees them. Pure: knows no model and no optimizer.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Parameter } from '../local/parameter.ts'

/** As `torch.amp.GradScaler` has it, with its names and defaults. */
export interface DynamicLossScale {
  /** first scale, default 2^16 */
  readonly initScale?: number
  /** the scale grows by it after `growthInterval` good steps in a row, default 2 */
  readonly growthFactor?: number
  /** the scale is multiplied by it after a step whose gradients were not finite, default 0.5 */
  readonly backoffFactor?: number
  /** steps, default 2000 */
  readonly growthInterval?: number
  /** minimum scale, below which the run ends (DeepSpeed's `min_loss_scale`), default 1 */
  readonly minScale?: number
}

/** A number: that scale in every step. `dynamic`: `DynamicLossScale` with its defaults. */
export type LossScaleOption = number | 'dynamic' | DynamicLossScale

/** State that a resumed run needs. */
export interface LossScaleState {
  readonly scale: number
  /** steps with finite gradients since the scale last changed */
  readonly goodSteps: number
}

export interface LossScale {
  readonly initial: LossScaleState
  /** a step whose gradients are not finite is left out, and the next has another scale; false: the scale stays */
  readonly dynamic: boolean
  /** The state after a step. Throws NON_FINITE if the scale cannot shrink further. */
  next(state: LossScaleState, finite: boolean): LossScaleState
}

/** Throws INVALID_ARGUMENT for numbers that make no sense. */
export function createLossScale(option: LossScaleOption = 1): LossScale {
  if (typeof option === 'number') {
    check('lossScale', option, option > 0 && Number.isFinite(option), 'a finite number above 0')
    const initial = { scale: option, goodSteps: 0 }
    return { initial, dynamic: false, next: state => state }
  }
  const given: DynamicLossScale = option === 'dynamic' ? {} : option
  checkOptions('lossScale', given, {
    initScale: true,
    growthFactor: true,
    backoffFactor: true,
    growthInterval: true,
    minScale: true
  })
  const { initScale = 2 ** 16, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000, minScale = 1 } = given
  check('minScale', minScale, minScale > 0, 'a number above 0')
  check('initScale', initScale, initScale >= minScale && Number.isFinite(initScale), `a number of at least ${minScale}`)
  check('growthFactor', growthFactor, growthFactor > 1, 'a number above 1')
  check('backoffFactor', backoffFactor, backoffFactor > 0 && backoffFactor < 1, 'a number between 0 and 1')
  check('growthInterval', growthInterval, Number.isInteger(growthInterval) && growthInterval > 0, 'a count above 0')
  return {
    initial: { scale: initScale, goodSteps: 0 },
    dynamic: true,
    next({ scale, goodSteps }, finite) {
      if (!finite) return { scale: backOff(scale, backoffFactor, minScale), goodSteps: 0 }
      if (goodSteps + 1 < growthInterval) return { scale, goodSteps: goodSteps + 1 }
      const grown = scale * growthFactor
      // a scale that is infinite could never come back
      return { scale: grown < 2 ** 127 ? grown : scale, goodSteps: 0 }
    }
  }
}

function backOff(scale: number, factor: number, minScale: number): number {
  if (scale * factor >= minScale) return scale * factor
  throw new SwarmError(
    'NON_FINITE',
    `the gradients are not finite even with a loss scale of ${scale} (is the learning rate too high?)`
  )
}

function check(name: string, value: number, holds: boolean, expected: string): void {
  if (!holds) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${value}`)
}

/** Divides the gradients by the scale, in place. Exact where the scale is a power of two and nothing underflows. */
export function unscaleGradients(parameters: Iterable<Parameter>, scale: number): void {
  if (scale === 1) return
  for (const { grad } of parameters) {
    if (grad !== null) for (let index = 0; index < grad.length; index++) grad[index]! /= scale
  }
}
