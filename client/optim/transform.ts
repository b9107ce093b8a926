// Gradient transformations that compose, in the manner of optax. Pure: knows one array at a time, no training loop.

/** What a transformation carries from step to step for one parameter: plain data that a checkpoint can hold. */
export interface TransformState {
  /** steps taken so far */
  readonly count: number
  /** named running means, each of the parameter's size */
  readonly moments: Readonly<Record<string, Float32Array>>
}

/** What one step is told from outside. */
export interface StepSettings {
  readonly learningRate: number
}

/** Turns the gradient of one parameter into an update of it. Changes none of its arguments. */
export interface Transform {
  /** the state before the first step of a parameter with `size` elements */
  init(size: number): TransformState
  /** `parameter` holds the values before the step */
  update(
    gradient: Float32Array,
    state: TransformState,
    parameter: Float32Array,
    settings: StepSettings
  ): { readonly update: Float32Array; readonly state: TransformState }
}

function stateless(compute: (gradient: number, parameter: number, settings: StepSettings) => number): Transform {
  return {
    init: () => ({ count: 0, moments: {} }),
    update: (gradient, state, parameter, settings) => ({
      update: gradient.map((element, index) => compute(element, parameter[index]!, settings)),
      state
    })
  }
}

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
export function scaleByAdam({ beta1, beta2, epsilon }: AdamMoments): Transform {
  return {
    init: size => ({ count: 0, moments: { first: new Float32Array(size), second: new Float32Array(size) } }),
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

/** Adds `weightDecay` times the parameter: decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2). */
export function addDecayedWeights(weightDecay: number): Transform {
  return stateless((gradient, parameter) => gradient + weightDecay * parameter)
}

/** Turns a direction of ascent into a step of descent. */
export function scaleByLearningRate(): Transform {
  return stateless((gradient, _, { learningRate }) => -learningRate * gradient)
}
