// BLEU and chrF of a corpus as PyPI's sacrebleu computes them by default (13a tokens, exponential smoothing; chrF2). Pure.
import { SwarmError } from '../../../common/errors.ts'

const order = 4

/** mteval-v13a's tokens, as sacrebleu's Tokenizer13a. */
export function tokenize13a(line: string): string[] {
  let text = line.trimEnd().replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ')
  if (text.includes('&')) {
    text = text.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>')
  }
  return ` ${text} `
    .replace(/([{-~[-` -&(-+:-@/])/g, ' $1 ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ')
    .split(/\s+/u)
    .filter(token => token !== '')
}

function countsOf(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

function gramsOf(tokens: readonly string[], size: number): Map<string, number> {
  const count = Math.max(0, tokens.length - size + 1)
  return countsOf(Array.from({ length: count }, (_, start) => tokens.slice(start, start + size).join('\u0000')))
}

/** A BLEU score with what it is made of, as sacrebleu gives it. */
export interface BleuScore {
  /** 0 to 100 */
  readonly score: number
  /** of 1 to 4 words, in percent */
  readonly precisions: readonly number[]
  readonly brevityPenalty: number
}

function checkCounts(what: string, predicted: readonly string[], expected: readonly (readonly string[])[]): void {
  const wrong = predicted.length !== expected.length || expected.some(references => references.length === 0)
  if (wrong) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${what}: expected a prediction for each of ${expected.length} texts with one reference or more, found ${predicted.length}`
    )
  }
}

/** BLEU of all texts together; each may have several references. Throws INVALID_ARGUMENT. */
export function bleuScore(predicted: readonly string[], expected: readonly (readonly string[])[]): BleuScore {
  checkCounts('bleu', predicted, expected)
  const [right, total] = [Array<number>(order).fill(0), Array<number>(order).fill(0)]
  let [predictedLength, expectedLength] = [0, 0]
  for (const [index, text] of predicted.entries()) {
    const guess = tokenize13a(text)
    const references = expected[index]!.map(tokenize13a)
    predictedLength += guess.length
    // the closest length, the shorter of two
    expectedLength += references
      .map(({ length }) => length)
      .reduce((best, length) => {
        const [near, far] = [Math.abs(length - guess.length), Math.abs(best - guess.length)]
        return near < far || (near === far && length < best) ? length : best
      })
    for (let size = 1; size <= order; size++) {
      const known = references.map(reference => gramsOf(reference, size))
      for (const [gram, count] of gramsOf(guess, size)) {
        total[size - 1]! += count
        right[size - 1]! += Math.min(count, Math.max(...known.map(grams => grams.get(gram) ?? 0)))
      }
    }
  }
  const brevityPenalty =
    predictedLength >= expectedLength ? 1 : predictedLength === 0 ? 0 : Math.exp(1 - expectedLength / predictedLength)
  const precisions = Array<number>(order).fill(0)
  if (right.every(count => count === 0)) return { score: 0, precisions, brevityPenalty }
  let smoothing = 1
  for (let place = 0; place < order && total[place] !== 0; place++) {
    if (right[place] === 0) smoothing *= 2
    precisions[place] = (100 * (right[place] === 0 ? 1 / smoothing : right[place]!)) / total[place]!
  }
  // sacrebleu's logarithm of 0 is a large negative number
  const logarithms = precisions.map(precision => (precision === 0 ? -9999999999 : Math.log(precision)))
  const score = brevityPenalty * Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / order)
  return { score, precisions, brevityPenalty }
}

const characterOrder = 6
/** recall counts this much more than precision */
const beta = 2

/** chrF2 of all texts together, 0 to 100; each may have several references, of which the best counts. Throws INVALID_ARGUMENT. */
export function chrfScore(predicted: readonly string[], expected: readonly (readonly string[])[]): number {
  checkCounts('chrf', predicted, expected)
  const sums = Array.from({ length: characterOrder }, () => ({ guess: 0, truth: 0, right: 0 }))
  for (const [index, text] of predicted.entries()) {
    const guess = characterGrams(text)
    const found = expected[index]!.map(reference => matches(guess, characterGrams(reference)))
    const best = found.reduce((one, other) => (fScore(other) > fScore(one) ? other : one))
    for (const [size, { guess: guesses, truth, right }] of best.entries()) {
      sums[size]!.guess += guesses
      sums[size]!.truth += truth
      sums[size]!.right += right
    }
  }
  return fScore(sums)
}

type Matches = readonly { readonly guess: number; readonly truth: number; readonly right: number }[]

function characterGrams(text: string): Map<string, number>[] {
  const characters = [...text.replace(/\s+/gu, '')]
  return Array.from({ length: characterOrder }, (_, size) => gramsOf(characters, size + 1))
}

function matches(guess: readonly Map<string, number>[], truth: readonly Map<string, number>[]): Matches {
  const total = (grams: Map<string, number>): number => [...grams.values()].reduce((sum, count) => sum + count, 0)
  return guess.map((grams, size) => {
    const known = truth[size]!
    let right = 0
    for (const [gram, count] of grams) right += Math.min(count, known.get(gram) ?? 0)
    return { guess: known.size > 0 ? total(grams) : 0, truth: total(known), right }
  })
}

function fScore(found: Matches): number {
  const counted = found.filter(({ guess, truth }) => guess > 0 && truth > 0)
  if (counted.length === 0) return 0
  const mean = (of: (one: Matches[number]) => number): number =>
    counted.reduce((sum, one) => sum + of(one), 0) / counted.length
  const precision = mean(({ right, guess }) => right / guess)
  const recall = mean(({ right, truth }) => right / truth)
  if (precision + recall === 0) return 0
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall)
}
