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

/** Precision, recall and F1 of one class, or over classes. */
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

/** Precision, recall and F1 of several classes as one. */
export type AverageScores = Omit<ClassScores, 'support'>

/** Scores of a classification, by class and over all. */
export interface ClassificationReport {
  /** share of right labels; of texts with several labels, of texts whose labels are all right */
  readonly accuracy: number
  /** mean F1 of the classes that are expected or predicted at least once, each counting the same */
  readonly macroF1: number
  /** means over those classes, each counting the same */
  readonly macro: AverageScores
  /** means weighted by how often a class is expected */
  readonly weighted: AverageScores
  /** over all decisions together; of one label a text all three are the accuracy */
  readonly micro: AverageScores
  /** those of class 1, of two classes; null of more */
  readonly binary: AverageScores | null
  /** Matthews' correlation of expected and predicted classes; 0 where one side does not vary; null of several labels a text */
  readonly matthews: number | null
  /** by the numbers of the classes */
  readonly classes: readonly ClassScores[]
  /** all of them */
  readonly support: number
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** How often a class is right, predicted and expected. */
interface Counts {
  readonly right: number
  readonly predicted: number
  readonly expected: number
}

const scoresOf = ({ right, predicted, expected }: Counts): ClassScores => ({
  precision: share(right, predicted),
  recall: share(right, expected),
  f1: share(2 * right, predicted + expected),
  support: expected
})

const averageNames = ['precision', 'recall', 'f1'] as const

function averaged(weigh: (name: (typeof averageNames)[number]) => number): AverageScores {
  const [precision, recall, f1] = averageNames.map(weigh) as [number, number, number]
  return { precision, recall, f1 }
}

function averages(counts: readonly Counts[]) {
  const classes = counts.map(scoresOf)
  const seen = classes.filter((_, index) => counts[index]!.expected + counts[index]!.predicted > 0)
  const support = sum(counts.map(({ expected }) => expected))
  const total = (name: keyof Counts): number => sum(counts.map(count => count[name]))
  const macro = averaged(name => share(sum(seen.map(scores => scores[name])), seen.length))
  const weighted = averaged(name => share(sum(classes.map(scores => scores[name] * scores.support)), support))
  const { support: _, ...micro } = scoresOf({
    right: total('right'),
    predicted: total('predicted'),
    expected: total('expected')
  })
  return { macro, macroF1: macro.f1, weighted, micro, classes, support }
}

/** Matthews' correlation of any number of classes (Gorodkin 2004), as scikit-learn computes it. */
function matthewsOf(matrix: ConfusionMatrix, counts: readonly Counts[]): number {
  const samples = sum(matrix.map(sum))
  const product = (one: keyof Counts, other: keyof Counts): number =>
    sum(counts.map(count => count[one] * count[other]))
  const right = sum(counts.map(count => count.right))
  const covariance = right * samples - product('predicted', 'expected')
  const spread = (samples ** 2 - product('predicted', 'predicted')) * (samples ** 2 - product('expected', 'expected'))
  return spread === 0 ? 0 : covariance / Math.sqrt(spread)
}

/** Accuracy and F1 are 0 without examples. */
export function classificationReport(matrix: ConfusionMatrix): ClassificationReport {
  const counts = matrix.map((row, truth) => ({
    right: row[truth]!,
    predicted: sum(matrix.map(other => other[truth]!)),
    expected: sum(row)
  }))
  const found = averages(counts)
  const binary = matrix.length === 2 ? averaged(name => found.classes[1]![name]) : null
  const accuracy = share(sum(counts.map(({ right }) => right)), found.support)
  return { ...found, accuracy, binary, matthews: matthewsOf(matrix, counts) }
}

/**
 * The same of texts with any number of labels each: rows of 0 and 1, one for each class. Throws INTERNAL for rows of different lengths.
 */
export function multiLabelReport(
  expected: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[]
): ClassificationReport {
  const numClasses = expected[0]?.length ?? 0
  if (expected.length !== predicted.length || [...expected, ...predicted].some(row => row.length !== numClasses)) {
    throw new SwarmError('INTERNAL', `rows of ${numClasses} labels expected, other ones found`)
  }
  const countOf = (index: number): Counts => ({
    right: expected.filter((row, at) => row[index] === 1 && predicted[at]![index] === 1).length,
    predicted: predicted.filter(row => row[index] === 1).length,
    expected: expected.filter(row => row[index] === 1).length
  })
  const whole = expected.filter((row, at) => row.every((label, index) => label === predicted[at]![index])).length
  const found = averages(Array.from({ length: numClasses }, (_, index) => countOf(index)))
  return { ...found, accuracy: share(whole, expected.length), binary: null, matthews: null }
}
