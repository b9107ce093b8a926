// What runs and `swarm eval` measure of each task, over models whose scores are known.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Batch,
  type Example,
  measureAnswers,
  measureClassification,
  measureWritten,
  type TrainableModel
} from '../../../client/train/index.ts'
import { bestSpan } from '../../../client/train/metrics/index.ts'
import { validationOf } from '../../../client/train/run/evaluation.ts'
import { float32 } from '../../../common/tensor.ts'

const loss = (value: number) => ({ value, backward: async () => {} })

const places = (...spans: ([number, number] | null)[]) => spans.map(span => span && { start: span[0], end: span[1] })

suite('answers to questions', () => {
  const question = { context: 'the white whale', places: places(null, [0, 3], [4, 9], [10, 15], null) }

  test('are the span whose first and last token score most together, not longer than allowed', () => {
    const [start, end] = [
      [9, 3, 2, 0, 9],
      [9, 0, 0, 3, 9]
    ]
    assert.deepEqual(bestSpan(start, end, question), { best: { text: 'the white whale', score: 6 }, none: 18 })
    assert.deepEqual(bestSpan(start, end, question, 2).best, { text: 'white whale', score: 5 })
  })

  /** Scores by the first id of a row, as the start and the end of spans. */
  const model = (spans: Record<number, readonly [number, number, number]>, virtual = 0) => ({
    task: 'QUESTION_ANS',
    async forward(batch: Batch) {
      const input = batch as Batch & { startPositions: { shape: readonly number[] }; labels?: unknown }
      assert.deepEqual(input.startPositions.shape, [input.inputIds.shape[0]])
      assert.equal(input.labels, undefined)
      const [rows, width] = input.inputIds.shape as [number, number]
      const logits = (side: 0 | 1) =>
        float32(
          [rows, virtual + width],
          Array.from({ length: rows }, (_, row) => {
            const found = spans[Number(input.inputIds.data[row * width])]!
            const own = Array.from({ length: width }, (__, at) => (at === found[side] ? found[2] : 0))
            return [...Array<number>(virtual).fill(99), ...own]
          }).flat()
        )
      return { loss: loss(2), startLogits: logits(0), endLogits: logits(1) }
    }
  })

  const piece = (id: string, first: number, answers: string[]): Example => ({
    ids: [first, 1, 2, 3, 4],
    labels: [1, 3],
    question: { id, ...question, answers }
  })

  test('are the best of all pieces of a context', async () => {
    const examples = [piece('a', 10, ['white whale']), piece('a', 11, ['white whale']), piece('b', 12, ['a whale'])]
    const spans = { 10: [1, 1, 1], 11: [2, 3, 5], 12: [1, 3, 4] } as const
    const measured = await measureAnswers(model(spans), examples, { padTokenId: 0, batchSize: 2 })
    // virtual tokens come before the tokens of a row
    assert.deepEqual(await measureAnswers(model(spans, 3), examples, { padTokenId: 0, batchSize: 2 }), measured)
    assert.deepEqual([measured.support, measured.exactMatch, measured.loss], [2, 50, 2])
    // whale of [white, whale], which are left of "the white whale"
    assert.ok(Math.abs(measured.f1 - (100 + 100 * (2 / 3)) / 2) < 1e-9, `${measured.f1}`)
  })

  test('are none where the first token scores more in every piece, if some question has none', async () => {
    const examples = [piece('a', 10, []), piece('b', 11, ['whale'])]
    const spans = { 10: [0, 0, 5], 11: [3, 3, 5] } as const
    const measured = await measureAnswers(model(spans), examples, { padTokenId: 0 })
    assert.deepEqual([measured.exactMatch, measured.noAnswer?.support], [100, 1])
  })
})

suite('written texts', () => {
  test('are compared with the expected ones', async () => {
    const examples = [
      { ids: [5, 6], labels: [5, 6, 1] },
      { ids: [7], labels: [7, 8, 1] }
    ]
    const asked: object[] = []
    const model = {
      async forward() {
        return { loss: loss(0.5) }
      },
      tokenizer: {
        decode: (ids: readonly number[]) =>
          ids
            .filter(id => id > 1)
            .map(id => `w${id}`)
            .join(' ')
      },
      async generate(input: number[][], options?: object) {
        asked.push(options!)
        return input.map(ids => [0, ...ids, 1, 0])
      }
    }
    const found = await measureWritten(model, examples, { padTokenId: 0, numBeams: 2 })
    assert.deepEqual(found.texts, ['w5 w6', 'w7'])
    assert.deepEqual([found.loss, found.exactMatch, found.genLen], [0.5, 50, 3.5])
    assert.ok(Math.abs(found.rouge1 - (100 + 100 * (2 / 3)) / 2) < 1e-9)
    assert.deepEqual(asked, [{ maxNewTokens: 3, doSample: false, numBeams: 2, signal: undefined }])
  })
})

suite('measures of a run', () => {
  const scoring = (task: string, rows: readonly (readonly number[])[], shape: 'rows' | 'tokens' = 'rows') =>
    ({
      task,
      async forward({ inputIds, labels }: Batch) {
        const [batch, length] = inputIds.shape as [number, number]
        assert.equal(labels.dtype, task === 'SEQ_CLS' ? 'float32' : 'int64')
        const found = Array.from({ length: batch }, (_, row) => rows[Number(inputIds.data[row * length])]!)
        const width = shape === 'rows' ? found[0]!.length : 3
        return {
          loss: loss(1),
          logits: float32(shape === 'rows' ? [batch, width] : [batch, length, width], found.flat())
        }
      },
      parameters: () => []
    }) as unknown as TrainableModel

  const numbers = (...labels: number[][]): Example[] =>
    labels.map((each, at) => ({ ids: [at], labels: each, areNumbers: true }))

  test('are errors and correlations of measured values', async () => {
    const data = { validation: numbers([1], [2], [4]), task: 'SEQ_CLS', problemType: 'regression' } as const
    const hook = validationOf(scoring('SEQ_CLS', [[1], [3], [5]]), data, { padTokenId: 0, batchSize: 2 })!
    const found = await hook.run(1, {})
    assert.deepEqual(Object.keys(found), hook.measures)
    assert.deepEqual([found.mse, found.spearman], [2 / 3, 1])
  })

  test('are the F1 of flags, which are set where a score is above 0', async () => {
    const problemType = 'multi_label_classification'
    const data = { validation: numbers([1, 0], [1, 1]), labels: ['a', 'b'], task: 'SEQ_CLS', problemType } as const
    const hook = validationOf(
      scoring('SEQ_CLS', [
        [2, -1],
        [1, -3]
      ]),
      data,
      { padTokenId: 0 }
    )!
    const found = await hook.run(1, {})
    assert.deepEqual(Object.keys(found), hook.measures)
    assert.deepEqual([found.accuracy, found.f1, found.f1_micro], [0.5, 0.5, 0.8])
  })

  test('are entities where tags write them, by rows', async () => {
    const labels = ['B-X', 'I-X', 'O']
    const one = (tag: number) => [0, 1, 2].map(at => (at === tag ? 1 : 0))
    const rows = [
      [0, 1],
      [0, 2]
    ].map(tags => tags.flatMap(one))
    const validation = [
      { ids: [0, 9], labels: [0, 1] },
      { ids: [1, 9], labels: [0, 1] }
    ]
    const model = scoring('TOKEN_CLS', rows, 'tokens')
    const hook = validationOf(model, { validation, labels, task: 'TOKEN_CLS' }, { padTokenId: 0 })!
    const found = await hook.run(1, {})
    assert.deepEqual(Object.keys(found), hook.measures)
    assert.equal(found.entity_f1, 0.5)
    const measured = await measureClassification(model, validation, { padTokenId: 0, numLabels: 3, labels })
    assert.deepEqual(measured.entities!.types.X, { precision: 0.5, recall: 0.5, f1: 0.5, support: 2 })
  })
})
