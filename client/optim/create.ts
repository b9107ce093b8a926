// The table of optimizers under the names that a run's configuration gives them, as Hugging Face's TrainingArguments does.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import { adafactor } from './adafactor.ts'
import { adamw } from './adamw.ts'
import { isDecayed } from './decay.ts'
import { lion } from './lion.ts'
import type { Optimizer } from './optimizer.ts'
import { sgd } from './sgd.ts'

/** TrainingArguments in camel case; each optimizer reads what concerns it. */
export interface OptimizerSettings {
  /** default 'adamw' */
  readonly optim?: OptimizerName
  /** of all parameters but biases and norms; default 0 */
  readonly weightDecay?: number
  /** adamw, lion; default 0.9 */
  readonly adamBeta1?: number
  /** adamw, lion; default 0.999, of lion 0.99 */
  readonly adamBeta2?: number
  /** adamw; default 1e-8 */
  readonly adamEpsilon?: number
  /** settings that only one optimizer has */
  readonly optimArgs?: OptimArgs
}

/** What only one optimizer reads. */
export interface OptimArgs {
  /** sgd; default 0 */
  readonly momentum?: number
  /** sgd; default 0 */
  readonly dampening?: number
  /** sgd; default false */
  readonly nesterov?: boolean
  /** adafactor; default 1 */
  readonly clipThreshold?: number
  /** adafactor; default -0.8 */
  readonly decayRate?: number
  /** adafactor; default false */
  readonly scaleParameter?: boolean
}

/** For checkOptions. */
export const optimizerKeys: OptionKeys<OptimizerSettings> = {
  optim: true,
  weightDecay: true,
  adamBeta1: true,
  adamBeta2: true,
  adamEpsilon: true,
  optimArgs: true
}

const optimArgsKeys: OptionKeys<OptimArgs> = {
  momentum: true,
  dampening: true,
  nesterov: true,
  clipThreshold: true,
  decayRate: true,
  scaleParameter: true
}

/** Names of `createOptimizer` and of `optim` in settings. */
export type OptimizerName = 'adamw' | 'sgd' | 'adafactor' | 'lion'

const optimizers = {
  adamw: ({ weightDecay = 0, adamBeta1: beta1, adamBeta2: beta2, adamEpsilon: epsilon }) =>
    adamw({ weightDecay, beta1, beta2, epsilon }),
  sgd: ({ weightDecay, optimArgs: { momentum, dampening, nesterov } = {} }) =>
    sgd({ weightDecay, momentum, dampening, nesterov }),
  adafactor: ({ weightDecay, optimArgs: { clipThreshold, decayRate, scaleParameter } = {} }) =>
    adafactor({ weightDecay, clipThreshold, decayRate, scaleParameter }),
  lion: ({ weightDecay, adamBeta1: beta1, adamBeta2: beta2 }) => lion({ weightDecay, beta1, beta2 })
} as const satisfies Record<OptimizerName, (settings: OptimizerSettings) => Optimizer>

export const optimizerNames = Object.keys(optimizers) as OptimizerName[]

/**
 * The optimizer that Hugging Face's Trainer makes of these settings: weight decay passes over biases and norms.
 * Throws INVALID_ARGUMENT for settings outside the optimizer's domain.
 */
export function createOptimizer(settings: OptimizerSettings): Optimizer {
  checkOptions('createOptimizer', settings, optimizerKeys)
  checkOptions('createOptimizer: optimArgs', settings.optimArgs, optimArgsKeys)
  const { optim = 'adamw' } = settings
  if (!Object.hasOwn(optimizers, optim)) {
    throw new SwarmError('INVALID_ARGUMENT', `optim: expected one of ${optimizerNames.join(', ')}, found '${optim}'`)
  }
  const { init, update } = optimizers[optim](settings)
  return { init, update: (parameters, state, step) => update(parameters, state, { decays: isDecayed, ...step }) }
}
