// Gradient transformations that compose, in the manner of optax. Pure: knows one array at a time, no training loop.

/** What a transformation carries from step to step for one parameter: plain data that a checkpoint can hold. */
export interface TransformState {
  /** steps taken so far */
  readonly count: number
  /** named running means; of the parameter's size, or factors of such a mean */
  readonly moments: Readonly<Record<string, Float32Array>>
}

/** What one step is told from outside. */
export interface StepSettings {
  readonly learningRate: number
  /** whether weight decay acts on this parameter; default true */
  readonly decays?: boolean
}

/** Turns the gradient of one parameter into an update of it. Changes none of its arguments. */
export interface Transform {
  /** the state before the first step of a parameter of this shape */
  init(shape: readonly number[]): TransformState
  /** `parameter` holds the values before the step */
  update(
    gradient: Float32Array,
    state: TransformState,
    parameter: Float32Array,
    settings: StepSettings
  ): { readonly update: Float32Array; readonly state: TransformState }
}

/** A transformation of every element by itself, without memory. */
function perElement(compute: (gradient: number, parameter: number, settings: StepSettings) => number): Transform {
  return {
    init: () => ({ count: 0, moments: {} }),
    update: (gradient, state, parameter, settings) => ({
      update: gradient.map((element, index) => compute(element, parameter[index]!, settings)),
      state
    })
  }
}

/**
 * Adds `weightDecay` times the parameter, unless the step exempts it: decay apart from the gradient (Loshchilov and Hutter
 * 2019, algorithm 2).
 */
export function addDecayedWeights(weightDecay: number): Transform {
  return perElement((gradient, parameter, { decays = true }) =>
    decays ? gradient + weightDecay * parameter : gradient
  )
}

/** Turns a direction of ascent into a step of descent. */
export function scaleByLearningRate(): Transform {
  return perElement((gradient, _, { learningRate }) => -learningRate * gradient)
}
