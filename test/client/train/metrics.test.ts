// Scores of predictions against scikit-learn (scripts/reference/evaluation.py), classes from logits, answers compared.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Batch,
  classificationReport,
  confusionMatrix,
  measureClassification,
  measureExactMatch,
  measureLanguage
} from '../../../client/train/index.ts'
import { float32 } from '../../../common/tensor.ts'
import { assertClose, readReference } from '../../../testing/references.ts'

interface Case {
  readonly expected: number[]
  readonly predicted: number[]
  readonly confusion: number[][]
  readonly accuracy: number
  readonly macroF1: number
  readonly classes: Record<'precision' | 'recall' | 'f1' | 'support', number>[]
}

const { classes: cases } = readReference<{ classes: Case[] }>('evaluation.json')

suite('scores of classes', () => {
  for (const [index, { expected, predicted, ...reference }] of cases.entries()) {
    test(`are scikit-learn's: case ${index}`, () => {
      const confusion = confusionMatrix(expected, predicted, 5)
      assert.deepEqual(confusion, reference.confusion)
      const report = classificationReport(confusion)
      assertClose([report.accuracy, report.macroF1], [reference.accuracy, reference.macroF1], 1e-12, 'scores')
      for (const [label, scores] of report.classes.entries()) {
        const names = ['precision', 'recall', 'f1', 'support'] as const
        const found = names.map(name => scores[name])
        assertClose(
          found,
          names.map(name => reference.classes[label]![name]),
          1e-12,
          `class ${label}`
        )
      }
    })
  }
})

suite('a model measured over examples', () => {
  const loss = (value: number) => ({ value, backward: async () => {} })

  test('classifies sequences, whatever the batches', async () => {
    // the class is the first id; every third example is told wrongly
    const examples = Array.from({ length: 7 }, (_, index) => ({ ids: [index % 3, index], labels: [index % 3] }))
    const model = {
      async forward({ inputIds }: Batch) {
        const rows = inputIds.shape[0]!
        const scores = Array.from({ length: rows }, (_, row) => {
          const [label, index] = [Number(inputIds.data[2 * row]), Number(inputIds.data[2 * row + 1])]
          const said = index % 3 === 2 ? 0 : label
          return [0, 1, 2].map(each => (each === said ? 5 : each))
        })
        return { loss: loss(rows), logits: float32([rows, 3], scores.flat()) }
      }
    }
    const options = { padTokenId: 0, batchSize: 3, numLabels: 3 }
    const done: number[] = []
    const found = await measureClassification(model, examples, {
      ...options,
      onProgress: ({ stage, unit, done: count, total, ended }) => {
        assert.deepEqual([stage, unit, total], ['evaluate', 'examples', 7])
        if (!ended) done.push(count)
      }
    })
    assert.deepEqual(found.confusion, [
      [3, 0, 0],
      [0, 2, 0],
      [2, 0, 0]
    ])
    assert.equal(found.accuracy, 5 / 7)
    assert.equal(found.loss, (3 * 3 + 3 * 3 + 1) / 7)
    assert.deepEqual(done, [0, 3, 6, 7])
  })

  test('classifies tokens behind virtual ones; labels that are not counted stay out', async () => {
    const examples = [
      { ids: [7, 8, 9], labels: [-100, 1, 0] },
      { ids: [7], labels: [1] }
    ]
    const wins = (label: number) => (label === 1 ? [0, 1] : [1, 0])
    // two virtual tokens, then what is said of the three positions of each row
    const logits = float32([2, 5, 2], [0, 0, 0, 1, 1, 0, 0, 0, 1, 0].flatMap(wins))
    const model = { forward: async () => ({ loss: loss(1), logits }) }
    const found = await measureClassification(model, examples, { padTokenId: 0, numLabels: 2 })
    // row 0 says 0, 1, 1 of its positions: right, wrong; row 1 says 0 of its only one
    assert.deepEqual(found.confusion, [
      [0, 1],
      [1, 1]
    ])
  })

  test('perplexity weighs every token the same', async () => {
    const examples = [
      { ids: [1, 2], labels: [-100, 2] },
      { ids: [1, 2, 3, 4], labels: [-100, 2, 3, 4] }
    ]
    const values = [4, 2]
    const model = { forward: async () => ({ loss: loss(values.shift()!) }) }
    const { perplexity, labels } = await measureLanguage(model, examples, { padTokenId: 0, batchSize: 1 })
    assert.equal(labels, 4)
    assert.equal(perplexity, Math.exp((4 + 3 * 2) / 4))
  })

  test('answers match where they are the expected text and end there', async () => {
    const eos = 2
    const examples = [
      { ids: [10, 65, eos], labels: [-100, 65, eos] },
      { ids: [11, 12, 66, eos], labels: [-100, -100, 66, eos] },
      { ids: [13, 67, 68, eos], labels: [-100, 67, 68, eos] },
      // two turns: no single answer
      { ids: [14, 65, 15, 65], labels: [-100, 65, -100, 65] }
    ]
    const answers: Record<number, number[]> = { 10: [65, eos, 0], 12: [66, 66, 66], 13: [32, 67, 68] }
    const asked: number[][][] = []
    const model = {
      config: { eosTokenIds: [eos] },
      tokenizer: { decode: (ids: readonly number[]) => String.fromCodePoint(...ids) },
      async generate(prompts: number[][], { maxNewTokens }: { maxNewTokens?: number } = {}) {
        asked.push(prompts)
        assert.equal(maxNewTokens, 3)
        return prompts.map(prompt => [...Array(2 - prompt.length).fill(0), ...prompt, ...answers[prompt.at(-1)!]!])
      }
    }
    assert.deepEqual(await measureExactMatch(model, examples), { matched: 2, questions: 3 })
    assert.deepEqual(asked, [[[10], [11, 12], [13]]])
  })
})
