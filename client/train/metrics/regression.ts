// Measures of numbers that a model predicts: mean squared error, and how predictions go with the truth. Pure.
import { SwarmError } from '../../../common/errors.ts'

/** Errors and correlations of measured values. */
export interface RegressionReport {
  /** mean squared error */
  readonly mse: number
  /** mean absolute error */
  readonly mae: number
  /** Pearson's correlation; NaN where one side does not vary, as SciPy has it */
  readonly pearson: number
  /** Spearman's correlation of ranks; ties share the mean of their ranks */
  readonly spearman: number
  readonly support: number
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Correlation of two lists of one length. */
export function pearson(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)]
  let [both, squaresA, squaresB] = [0, 0, 0]
  for (const [index, value] of a.entries()) {
    const [x, y] = [value - meanA, b[index]! - meanB]
    both += x * y
    squaresA += x * x
    squaresB += y * y
  }
  return squaresA === 0 || squaresB === 0 ? Number.NaN : both / Math.sqrt(squaresA * squaresB)
}

/** Ranks from 1; equal values have the mean of their places. */
function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!)
  const ranks = Array<number>(values.length).fill(0)
  for (let first = 0, end: number; first < order.length; first = end) {
    end = first + 1
    while (end < order.length && values[order[end]!] === values[order[first]!]) end++
    for (let place = first; place < end; place++) ranks[order[place]!] = (first + end + 1) / 2
  }
  return ranks
}

/** Throws INVALID_ARGUMENT for lists of different lengths or none. */
export function regressionReport(expected: readonly number[], predicted: readonly number[]): RegressionReport {
  if (expected.length !== predicted.length || expected.length === 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `regression: expected as many predictions as values, and at least one; found ${predicted.length} and ${expected.length}`
    )
  }
  const errors = expected.map((value, index) => predicted[index]! - value)
  return {
    mse: mean(errors.map(error => error * error)),
    mae: mean(errors.map(Math.abs)),
    pearson: pearson(expected, predicted),
    spearman: pearson(ranksOf(expected), ranksOf(predicted)),
    support: expected.length
  }
}
