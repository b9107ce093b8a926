// ROUGE-1, -2, -L and -Lsum as PyPI's rouge-score computes them. Pure.
import { SwarmError } from '../../../common/errors.ts'

/** Precision, recall and F1 of one kind of ROUGE. */
export interface RougeScore {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** Kinds of ROUGE, by the names of rouge-score. */
export const rougeTypes = ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const

/** A kind of ROUGE. */
export type RougeType = (typeof rougeTypes)[number]

/** The score of every kind. */
export type RougeScores = Readonly<Record<RougeType, RougeScore>>

/** Lower case runs of a-z and 0-9, as rouge-score's default tokenizer without a stemmer. */
const tokenize = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? []

const nothing: RougeScore = { precision: 0, recall: 0, f1: 0 }

function scored(hits: number, expected: number, predicted: number): RougeScore {
  const precision = hits / Math.max(1, predicted)
  const recall = hits / Math.max(1, expected)
  return { precision, recall, f1: precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0 }
}

function countsOf(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

const gramsOf = (tokens: readonly string[], size: number): string[] =>
  tokens.slice(0, Math.max(0, tokens.length - size + 1)).map((_, start) => tokens.slice(start, start + size).join(' '))

function ofGrams(expected: readonly string[], predicted: readonly string[], size: number): RougeScore {
  const [truth, guess] = [gramsOf(expected, size), gramsOf(predicted, size)]
  const guesses = countsOf(guess)
  let hits = 0
  for (const [gram, count] of countsOf(truth)) hits += Math.min(count, guesses.get(gram) ?? 0)
  return scored(hits, truth.length, guess.length)
}

/** Lengths of longest common subsequences of all beginnings, [expected + 1][predicted + 1]. */
function commonLengths(expected: readonly string[], predicted: readonly string[]): Int32Array[] {
  const table = Array.from({ length: expected.length + 1 }, () => new Int32Array(predicted.length + 1))
  for (let row = 1; row <= expected.length; row++) {
    for (let column = 1; column <= predicted.length; column++) {
      table[row]![column] =
        expected[row - 1] === predicted[column - 1]
          ? table[row - 1]![column - 1]! + 1
          : Math.max(table[row - 1]![column]!, table[row]![column - 1]!)
    }
  }
  return table
}

/** Places in `expected` of one longest common subsequence; which one, where there are several, is rouge-score's choice. */
function commonPlaces(expected: readonly string[], predicted: readonly string[]): number[] {
  const table = commonLengths(expected, predicted)
  const places: number[] = []
  let [row, column] = [expected.length, predicted.length]
  while (row > 0 && column > 0) {
    if (expected[row - 1] === predicted[column - 1]) {
      places.push(row - 1)
      row--
      column--
    } else if (table[row]![column - 1]! > table[row - 1]![column]!) column--
    else row--
  }
  return places
}

function ofSequences(expected: readonly string[], predicted: readonly string[]): RougeScore {
  if (expected.length === 0 || predicted.length === 0) return nothing
  const length = commonLengths(expected, predicted).at(-1)!.at(-1)!
  return scored(length, expected.length, predicted.length)
}

const sentencesOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(tokenize)

/** The union of each expected sentence's common subsequences with all predicted ones; every word counts as often as both texts have it. */
function ofSummaries(expected: string, predicted: string): RougeScore {
  const [truths, guesses] = [sentencesOf(expected), sentencesOf(predicted)]
  const [truthWords, guessWords] = [truths.flat(), guesses.flat()]
  if (truthWords.length === 0 || guessWords.length === 0) return nothing
  const [truthLeft, guessLeft] = [countsOf(truthWords), countsOf(guessWords)]
  let hits = 0
  for (const truth of truths) {
    const places = new Set(guesses.flatMap(guess => commonPlaces(truth, guess)))
    for (const place of [...places].sort((a, b) => a - b)) {
      const word = truth[place]!
      const [inTruth, inGuess] = [truthLeft.get(word) ?? 0, guessLeft.get(word) ?? 0]
      if (inTruth === 0 || inGuess === 0) continue
      hits += 1
      truthLeft.set(word, inTruth - 1)
      guessLeft.set(word, inGuess - 1)
    }
  }
  return scored(hits, truthWords.length, guessWords.length)
}

/** All four of one text; sentences of a summary (ROUGE-Lsum) are its lines. */
export function rougeOf(expected: string, predicted: string): RougeScores {
  const [truth, guess] = [tokenize(expected), tokenize(predicted)]
  return {
    rouge1: ofGrams(truth, guess, 1),
    rouge2: ofGrams(truth, guess, 2),
    rougeL: ofSequences(truth, guess),
    rougeLsum: ofSummaries(expected, predicted)
  }
}

/** Mean F1 of all texts. Throws INVALID_ARGUMENT for another number of predictions than of texts. */
export function rougeScores(
  expected: readonly string[],
  predicted: readonly string[]
): Readonly<Record<RougeType, number>> {
  if (expected.length !== predicted.length) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `rouge: expected ${expected.length} predictions, found ${predicted.length}`
    )
  }
  const sums = { rouge1: 0, rouge2: 0, rougeL: 0, rougeLsum: 0 }
  for (const [index, text] of expected.entries()) {
    const scores = rougeOf(text, predicted[index]!)
    for (const type of rougeTypes) sums[type] += scores[type].f1 / expected.length
  }
  return sums
}
