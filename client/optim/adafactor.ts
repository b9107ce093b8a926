// Adafactor (Shazeer and Stern 2018, arXiv 1804.04235), numerically transformers.optimization.Adafactor with
// relative_step and warmup_init off: the learning rate comes from a schedule.
import { checkOptions } from '../../common/options.ts'
import { sizeOf } from '../../common/tensor.ts'
import { atLeastZero } from './check.ts'
import { chain, type Optimizer } from './optimizer.ts'
import { addDecayedWeights, scaleByLearningRate, type Transform, type TransformState } from './transform.ts'

/** Settings with the defaults of transformers, but for scaleParameter, which Hugging Face's Trainer turns off too. */
export interface AdafactorOptions {
  /** of the steps that bring none of their own, default 1e-3 */
  readonly learningRate?: number
  /** added to squared gradients, default 1e-30 */
  readonly epsilon?: number
  /** least size of a parameter where steps are scaled by it, default 1e-3 */
  readonly parameterEpsilon?: number
  /** updates with a larger root mean square are shortened to it, default 1 */
  readonly clipThreshold?: number
  /** the mean of squares forgets by `1 - step ** decayRate`, default -0.8 */
  readonly decayRate?: number
  /** share of a parameter that a step at learning rate 1 would take away, default 0 */
  readonly weightDecay?: number
  /** steps are scaled by the root mean square of the parameter; default false */
  readonly scaleParameter?: boolean
}

function rootMeanSquare(values: Float32Array): number {
  let squares = 0
  for (const value of values) squares += value * value
  return Math.sqrt(squares / values.length)
}

/**
 * Divides by the root of the mean of squares. Of a matrix only the means of rows and columns are kept; a tensor of more
 * axes is a stack of matrices over its last two.
 */
function scaleByFactoredRms({ epsilon, decayRate }: { epsilon: number; decayRate: number }): Transform {
  return {
    init(shape): TransformState {
      if (shape.length < 2) return { count: 0, moments: { second: new Float32Array(sizeOf(shape)) } }
      const [rows, columns] = shape.slice(-2) as [number, number]
      const matrices = sizeOf(shape.slice(0, -2))
      const moments = { row: new Float32Array(matrices * rows), column: new Float32Array(matrices * columns) }
      return { count: 0, moments }
    },
    update(gradient, { count: steps, moments }): { update: Float32Array; state: TransformState } {
      const count = steps + 1
      const keep = 1 - count ** decayRate
      if (moments.second !== undefined) {
        const second = moments.second.map((mean, index) => keep * mean + (1 - keep) * (gradient[index]! ** 2 + epsilon))
        return {
          update: gradient.map((g, index) => g / Math.sqrt(second[index]!)),
          state: { count, moments: { second } }
        }
      }
      const { row, column, update } = factored(gradient, moments.row!, moments.column!, { keep, epsilon })
      return { update, state: { count, moments: { row, column } } }
    }
  }
}

function factored(
  gradient: Float32Array,
  oldRow: Float32Array,
  oldColumn: Float32Array,
  { keep, epsilon }: { keep: number; epsilon: number }
) {
  const update = new Float32Array(gradient.length)
  const [row, column] = [oldRow.map(mean => keep * mean), oldColumn.map(mean => keep * mean)]
  if (gradient.length === 0) return { row, column, update }
  const matrices = (row.length * column.length) / gradient.length
  const [rows, columns] = [row.length / matrices, column.length / matrices]
  for (let matrix = 0; matrix < matrices; matrix++) {
    const start = matrix * rows * columns
    const rowSums = new Float64Array(rows)
    const columnSums = new Float64Array(columns)
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const square = gradient[start + r * columns + c]! ** 2 + epsilon
        rowSums[r]! += square
        columnSums[c]! += square
      }
    }
    const ownRow = row.subarray(matrix * rows, (matrix + 1) * rows)
    const ownColumn = column.subarray(matrix * columns, (matrix + 1) * columns)
    for (let r = 0; r < rows; r++) ownRow[r]! += ((1 - keep) * rowSums[r]!) / columns
    for (let c = 0; c < columns; c++) ownColumn[c]! += ((1 - keep) * columnSums[c]!) / rows
    const mean = ownRow.reduce((sum, value) => sum + value, 0) / rows
    const rowFactor = Array.from(ownRow, value => 1 / Math.sqrt(value / mean))
    const columnFactor = Array.from(ownColumn, value => 1 / Math.sqrt(value))
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const at = start + r * columns + c
        update[at] = gradient[at]! * rowFactor[r]! * columnFactor[c]!
      }
    }
  }
  return { row, column, update }
}

/** Shortens an update whose root mean square is above the threshold to it. */
function clipByRms(threshold: number): Transform {
  return {
    init: () => ({ count: 0, moments: {} }),
    update(gradient, state) {
      const factor = Math.max(1, rootMeanSquare(gradient) / threshold)
      return { update: gradient.map(element => element / factor), state }
    }
  }
}

/** Multiplies by the root mean square of the parameter, at least `epsilon`. */
function scaleByParameterRms(epsilon: number): Transform {
  return {
    init: () => ({ count: 0, moments: {} }),
    update(gradient, state, parameter) {
      const scale = Math.max(epsilon, rootMeanSquare(parameter))
      return { update: gradient.map(element => element * scale), state }
    }
  }
}

/** Throws INVALID_ARGUMENT for settings outside the method's domain. */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  checkOptions('adafactor', options, {
    learningRate: true,
    epsilon: true,
    parameterEpsilon: true,
    clipThreshold: true,
    decayRate: true,
    weightDecay: true,
    scaleParameter: true
  })
  const { learningRate = 1e-3, epsilon = 1e-30, parameterEpsilon = 1e-3, clipThreshold = 1, decayRate = -0.8 } = options
  const { weightDecay = 0, scaleParameter = false } = options
  atLeastZero({ learningRate, epsilon, parameterEpsilon, clipThreshold, weightDecay })
  return chain(
    { learningRate },
    scaleByFactoredRms({ epsilon, decayRate }),
    clipByRms(clipThreshold),
    addDecayedWeights(weightDecay),
    ...(scaleParameter ? [scaleByParameterRms(parameterEpsilon)] : []),
    scaleByLearningRate()
  )
}
