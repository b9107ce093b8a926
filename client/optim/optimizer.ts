// A chain of transformations over named parameters. Knows no single method and no training loop.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Parameter } from '../local/parameter.ts'
import type { StepSettings, Transform, TransformState } from './transform.ts'

/** Parameter name -> the state of each transformation of the chain. Plain data that a checkpoint can hold. */
export type OptimizerState = Readonly<Record<string, readonly TransformState[]>>

/** Parameter name -> what to add to it. Parameters without a gradient are not in it. */
export type Updates = Readonly<Record<string, Float32Array>>

/** What one step is told. */
export interface OptimizerStep {
  /** default: the optimizer's own */
  readonly learningRate?: number
  /** whether weight decay acts on the parameter of this name; default: on all, as in torch */
  readonly decays?: (name: string) => boolean
}

/** Pure: `update` changes neither parameters nor state; `applyUpdates` makes the step. */
export interface Optimizer {
  /** The state before the first step: zeroed moments of each parameter, by name. */
  init(parameters: readonly Parameter[]): OptimizerState
  /**
   * The step for the gradients that the parameters hold. As in torch, a parameter without a gradient (or that does not
   * require one) is left alone: no decay, and its count of steps stays.
   */
  update(
    parameters: readonly Parameter[],
    state: OptimizerState,
    settings?: OptimizerStep
  ): { readonly updates: Updates; readonly state: OptimizerState }
}

/** An optimizer that applies the transformations one after the other; `defaults` are the settings of steps without any. */
export function chain(defaults: StepSettings, ...transforms: readonly Transform[]): Optimizer {
  return {
    init: parameters =>
      Object.fromEntries(
        parameters.map(({ name, shape }) => [name, transforms.map(transform => transform.init(shape))])
      ),
    update(parameters, state, step = {}) {
      checkOptions('update', step, { learningRate: true, decays: true })
      const { decays, ...settings } = step
      const updates: Record<string, Float32Array> = {}
      const next: Record<string, readonly TransformState[]> = { ...state }
      for (const { name, data, grad, requiresGrad } of parameters) {
        if (grad === null || !requiresGrad) continue
        const states = state[name]
        if (states?.length !== transforms.length) {
          throw new SwarmError(
            'INTERNAL',
            `optimizer state of ${name}: expected ${transforms.length} parts, found ${states?.length ?? 'none'}`
          )
        }
        const merged = { ...defaults, ...settings, decays: decays?.(name) }
        let update = grad
        next[name] = transforms.map((transform, index) => {
          const result = transform.update(update, states[index]!, data, merged)
          update = result.update
          return result.state
        })
        updates[name] = update
      }
      return { updates, state: next }
    }
  }
}

/** Adds the updates to the parameters, in place. */
export function applyUpdates(parameters: readonly Parameter[], updates: Updates): void {
  for (const { name, data } of parameters) {
    const update = updates[name]
    if (update === undefined) continue
    for (let index = 0; index < data.length; index++) data[index]! += update[index]!
  }
}
