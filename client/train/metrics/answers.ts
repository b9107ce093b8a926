// Answers to questions compared as SQuAD's evaluations do: exact match and F1 of words, after the same normalization. Pure.
import { SwarmError } from '../../../common/errors.ts'

/** Which evaluation: of 1.1 every question has an answer; of 2.0 an empty text means that there is none. */
export type SquadVersion = 'v1' | 'v2'

/** Scores of answers to questions, in percent, as SQuAD counts them. */
export interface AnswerScores {
  /** percent of questions whose answer is one of the expected ones after normalization */
  readonly exactMatch: number
  /** mean F1 of words in percent, each question by its best expected answer */
  readonly f1: number
  readonly support: number
  /** of version 2: the same over questions with an answer, and over those without */
  readonly hasAnswer?: Omit<AnswerScores, 'hasAnswer' | 'noAnswer'>
  readonly noAnswer?: Omit<AnswerScores, 'hasAnswer' | 'noAnswer'>
}

/** Lower case, without ASCII punctuation and the articles a, an, the; single spaces. */
export function normalizeAnswer(text: string): string {
  const bare = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '')
  return bare
    .replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
    .split(/\s+/u)
    .filter(word => word !== '')
    .join(' ')
}

const wordsOf = (text: string): string[] => normalizeAnswer(text).split(' ').filter(Boolean)

function wordF1(expected: string, predicted: string, version: SquadVersion): number {
  const [truth, guess] = [wordsOf(expected), wordsOf(predicted)]
  if (version === 'v2' && (truth.length === 0 || guess.length === 0)) return truth.length === guess.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of truth) left.set(word, (left.get(word) ?? 0) + 1)
  let same = 0
  for (const word of guess) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    same += 1
  }
  if (same === 0) return 0
  const [precision, recall] = [same / guess.length, same / truth.length]
  return (2 * precision * recall) / (precision + recall)
}

interface Scored {
  readonly exact: number
  readonly f1: number
  readonly isAnswered: boolean
}

function scoreOf(predicted: string, expected: readonly string[], version: SquadVersion): Scored {
  const answers = version === 'v2' ? expected.filter(answer => normalizeAnswer(answer) !== '') : expected
  const truths = answers.length === 0 ? [''] : answers
  return {
    exact: truths.some(truth => normalizeAnswer(truth) === normalizeAnswer(predicted)) ? 1 : 0,
    f1: Math.max(...truths.map(truth => wordF1(truth, predicted, version))),
    isAnswered: answers.length > 0
  }
}

function averaged(scores: readonly Scored[]): { exactMatch: number; f1: number; support: number } {
  const percent = (value: (scored: Scored) => number): number =>
    scores.length === 0 ? 0 : (100 * scores.reduce((sum, scored) => sum + value(scored), 0)) / scores.length
  return { exactMatch: percent(({ exact }) => exact), f1: percent(({ f1 }) => f1), support: scores.length }
}

/** Throws INVALID_ARGUMENT for another number of predictions than of questions, and for a question of version 1 without an answer. */
export function answerScores(
  predicted: readonly string[],
  expected: readonly (readonly string[])[],
  version: SquadVersion = 'v1'
): AnswerScores {
  if (predicted.length !== expected.length) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `answers: expected one for each of ${expected.length} questions, found ${predicted.length}`
    )
  }
  const empty = version === 'v1' ? expected.findIndex(answers => answers.length === 0) : -1
  if (empty >= 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `question ${empty}: expected at least one answer (of SQuAD 2.0 some have none: use version v2)`
    )
  }
  const scores = expected.map((answers, index) => scoreOf(predicted[index]!, answers, version))
  if (version === 'v1') return averaged(scores)
  return {
    ...averaged(scores),
    hasAnswer: averaged(scores.filter(({ isAnswered }) => isAnswered)),
    noAnswer: averaged(scores.filter(({ isAnswered }) => !isAnswered))
  }
}
