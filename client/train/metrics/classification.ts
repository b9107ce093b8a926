// Metrics of classifications: confusion matrix, accuracy, precision, recall and F1, as scikit-learn defines them. Pure.
import { SwarmError } from '../../../common/errors.ts'

/** `matrix[expected][predicted]` counts; of all classes, seen or not. */
export type ConfusionMatrix = readonly (readonly number[])[]

/** Throws INTERNAL for lists of different lengths and numbers that are no class. */
export function confusionMatrix(
  expected: readonly number[],
  predicted: readonly number[],
  numClasses: number
): ConfusionMatrix {
  if (expected.length !== predicted.length) {
    throw new SwarmError('INTERNAL', `${expected.length} classes expected, ${predicted.length} predicted`)
  }
  const matrix = Array.from({ length: numClasses }, () => Array<number>(numClasses).fill(0))
  for (const [index, truth] of expected.entries()) {
    const row = matrix[truth]
    const guess = predicted[index]!
    if (row?.[guess] === undefined) {
      throw new SwarmError('INTERNAL', `classes ${truth} and ${guess}: expected 0 to ${numClasses - 1}`)
    }
    row[guess]! += 1
  }
  return matrix
}

export interface ClassScores {
  /** true positives by all predictions of the class; 0 without predictions */
  readonly precision: number
  /** true positives by all members of the class; 0 without members */
  readonly recall: number
  /** harmonic mean of the two; 0 if both are 0 */
  readonly f1: number
  /** how many are so */
  readonly support: number
}

export interface ClassificationReport {
  /** share of right labels */
  readonly accuracy: number
  /** mean F1 of the classes that are expected or predicted at least once, each counting the same */
  readonly macroF1: number
  /** by the numbers of the classes */
  readonly classes: readonly ClassScores[]
  /** all of them */
  readonly support: number
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** Accuracy and F1 are 0 without examples. */
export function classificationReport(matrix: ConfusionMatrix): ClassificationReport {
  const supports = matrix.map(sum)
  const predictions = matrix.map((_, guess) => sum(matrix.map(row => row[guess]!)))
  const classes = matrix.map((row, truth): ClassScores => {
    const right = row[truth]!
    return {
      precision: share(right, predictions[truth]!),
      recall: share(right, supports[truth]!),
      f1: share(2 * right, predictions[truth]! + supports[truth]!),
      support: supports[truth]!
    }
  })
  const seen = classes.filter(({ support }, index) => support + predictions[index]! > 0)
  const support = sum(supports)
  return {
    accuracy: share(sum(matrix.map((row, truth) => row[truth]!)), support),
    macroF1: share(sum(seen.map(({ f1 }) => f1)), seen.length),
    classes,
    support
  }
}
