// Measures of each task against scikit-learn, SciPy, seqeval, rouge-score, sacrebleu and SQuAD's evaluation (scripts/reference/metrics.py).
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  answerScores,
  areEntityTags,
  bleuScore,
  chrfScore,
  classificationReport,
  confusionMatrix,
  entitiesOf,
  entityReport,
  multiLabelReport,
  normalizeAnswer,
  regressionReport,
  rougeOf,
  rougeScores,
  rougeTypes,
  tokenize13a
} from '../../../client/train/metrics/index.ts'
import { readReference } from '../../../testing/references.ts'

interface Scores {
  readonly precision: number
  readonly recall: number
  readonly f1: number
  readonly support?: number
}

interface Averages {
  readonly macro: Scores
  readonly micro: Scores
  readonly weighted: Scores
}

interface Reference {
  readonly classes: (Averages & {
    numClasses: number
    expected: number[]
    predicted: number[]
    matthews: number
    binary?: Scores
  })[]
  readonly labels: Averages & { expected: number[][]; predicted: number[][]; accuracy: number }
  readonly numbers: Record<'expected' | 'predicted', number[]> & Record<'mse' | 'mae' | 'pearson' | 'spearman', number>
  readonly entities: (Record<'precision' | 'recall' | 'f1' | 'macroF1' | 'weightedF1' | 'accuracy', number> & {
    expected: string[][]
    predicted: string[][]
    strict: boolean
    types: Record<string, Scores>
  })[]
  readonly summaries: { expected: string[]; predicted: string[]; scores: Record<(typeof rougeTypes)[number], Scores>[] }
  readonly translations: {
    cases: {
      predicted: string[]
      expected: string[][]
      bleu: number
      precisions: number[]
      penalty: number
      chrf: number
    }[]
    tokens: [string, string[]][]
  }
  readonly answers: {
    predicted: string[]
    expected: string[][]
    v2: { exactMatch: number; f1: number }
    v1: { predicted: string[]; expected: string[][]; exactMatch: number; f1: number }
    normalized: [string, string][]
  }
}

const reference = readReference<Reference>('metrics.json')

function assertNear(found: unknown, expected: unknown, what: string): void {
  if (typeof expected === 'number') {
    assert.ok(typeof found === 'number' && Math.abs(found - expected) < 1e-9, `${what}: ${found}, expected ${expected}`)
    return
  }
  assert.ok(typeof expected === 'object' && expected !== null && typeof found === 'object' && found !== null, what)
  for (const [name, value] of Object.entries(expected)) {
    assertNear((found as Record<string, unknown>)[name], value, `${what}.${name}`)
  }
}

suite('classes', () => {
  for (const [index, { numClasses, expected, predicted, ...scores }] of reference.classes.entries()) {
    test(`have scikit-learn's averages and Matthews' correlation: ${index}`, () => {
      const report = classificationReport(confusionMatrix(expected, predicted, numClasses))
      assertNear(report, scores, `case ${index}`)
      assert.equal(report.binary === null, numClasses !== 2)
    })
  }

  test('of several labels a text have the averages of scikit-learn, and whole rows as accuracy', () => {
    const { expected, predicted, ...scores } = reference.labels
    assertNear(multiLabelReport(expected, predicted), scores, 'labels')
  })
})

suite('numbers', () => {
  test('have the errors of scikit-learn and the correlations of SciPy, ties among them', () => {
    const { expected, predicted, ...scores } = reference.numbers
    assertNear(regressionReport(expected, predicted), scores, 'numbers')
  })

  test('that do not vary have no correlation', () => {
    assert.ok(Number.isNaN(regressionReport([1, 1], [1, 2]).pearson))
  })
})

suite('entities', () => {
  for (const [index, { expected, predicted, strict, ...scores }] of reference.entities.entries()) {
    test(`are counted as by seqeval${strict ? ', strictly as IOB2' : ''}: ${index}`, () => {
      const report = entityReport(expected, predicted, strict ? 'strict' : 'default')
      assertNear(report, scores, `case ${index}`)
      assert.deepEqual(Object.keys(report.types), Object.keys(scores.types))
    })
  }

  test('are found in IOB1 too, whose first word has I-', () => {
    assert.deepEqual(entitiesOf(['I-PER', 'I-PER', 'B-PER', 'O', 'I-LOC']), [
      { type: 'PER', start: 0, end: 1 },
      { type: 'PER', start: 2, end: 2 },
      { type: 'LOC', start: 4, end: 4 }
    ])
  })

  test('are not looked for in tags without a prefix, and strictly not in IOBES', () => {
    assert.equal(areEntityTags(['O', 'B-PER', 'I-PER']), true)
    assert.equal(areEntityTags(['NOUN', 'VERB']), false)
    assert.throws(() => entitiesOf(['S-PER'], 'strict'), /expected tags of IOB2.*found 'S-PER'/)
    assert.throws(() => entityReport([['O']], [['O', 'O']]), /sentence 0: expected 1 predicted tags, found 2/)
  })
})

suite('summaries and translations', () => {
  test('have the scores of rouge-score', () => {
    const { expected, predicted, scores } = reference.summaries
    for (const [index, score] of scores.entries()) {
      assertNear(rougeOf(expected[index]!, predicted[index]!), score, `text ${index}`)
    }
    const means = rougeScores(expected, predicted)
    for (const type of rougeTypes) {
      assertNear(means[type], scores.reduce((sum, score) => sum + score[type].f1, 0) / scores.length, type)
    }
  })

  for (const [
    index,
    { predicted, expected, bleu, precisions, penalty, chrf }
  ] of reference.translations.cases.entries()) {
    test(`have the BLEU and chrF of sacrebleu: ${index}`, () => {
      assertNear(
        { ...bleuScore(predicted, expected), chrf: chrfScore(predicted, expected) },
        { score: bleu, precisions, brevityPenalty: penalty, chrf },
        `case ${index}`
      )
    })
  }

  for (const [line, tokens] of reference.translations.tokens) {
    test(`are tokenized as by mteval-v13a: ${JSON.stringify(line)}`, () => {
      assert.deepEqual(tokenize13a(line), tokens)
    })
  }
})

suite('answers', () => {
  const { predicted, expected, v1, v2, normalized } = reference.answers

  test('are scored as by SQuAD 1.1 and 2.0', () => {
    assertNear(answerScores(v1.predicted, v1.expected), { exactMatch: v1.exactMatch, f1: v1.f1 }, 'v1')
    const found = answerScores(predicted, expected, 'v2')
    assertNear(found, v2, 'v2')
    assert.equal(found.hasAnswer!.support + found.noAnswer!.support, expected.length)
  })

  test('of 1.1 are known for every question', () => {
    assert.throws(() => answerScores(['a'], [[]]), /question 0: expected at least one answer.*v2/)
  })

  for (const [line, bare] of normalized) {
    test(`are normalized: ${JSON.stringify(line)}`, () => assert.equal(normalizeAnswer(line), bare))
  }
})
