// Losses of embeddings and their gradients against sentence-transformers (scripts/reference/similarity.py), and a model trained by them.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parameter } from '../../../client/local/parameter.ts'
import { type collate, SimilarityModel, train } from '../../../client/train/index.ts'
import { cosineLoss, multipleNegativesLoss, similarityEvaluation } from '../../../client/train/similarity.ts'
import { float32 } from '../../../common/tensor.ts'
import { assertClose, readReference } from '../../../testing/references.ts'

interface Case {
  readonly rows: number
  readonly pooled: number[]
  readonly loss: number
  readonly gradient: number[]
  readonly scores?: number[]
}

const reference = readReference<{ multiple_negatives: Case[]; cosine: Case }>('similarity.json')

suite('losses of embeddings', () => {
  for (const { rows, pooled, loss, gradient } of reference.multiple_negatives) {
    test(`rank positives as sentence-transformers, of ${rows} rows`, () => {
      const found = multipleNegativesLoss(float32([rows, 6], pooled), 4)
      assertClose([found.loss], [loss], 1e-5, 'loss')
      assertClose(found.gradient.data, gradient, 1e-5, 'gradient')
    })
  }

  test('bring cosines to their scores', () => {
    const { rows, pooled, loss, gradient, scores } = reference.cosine
    const found = cosineLoss(float32([rows, 6], pooled), scores!)
    assertClose([found.loss], [loss], 1e-6, 'loss')
    assertClose(found.gradient.data, gradient, 1e-6, 'gradient')
  })
})

/** A model whose pooled state of a text is the row of its first token: a table, which is what is trained. */
function table(rows: number, width: number) {
  const data = Float32Array.from({ length: rows * width }, (_, at) => Math.sin(7 * at + 1))
  const trained = parameter('table', [rows, width], data)
  trained.requiresGrad = true
  return {
    parameters: () => [trained],
    async forward({ inputIds }: Pick<ReturnType<typeof collate>, 'inputIds'>) {
      const [batch, length] = inputIds.shape as [number, number]
      const ids = Array.from({ length: batch }, (_, row) => Number(inputIds.data[row * length]))
      const pooled = float32(
        [batch, width],
        ids.flatMap(id => [...trained.data.subarray(id * width, (id + 1) * width)])
      )
      return {
        pooled,
        penalty: 0,
        async backward({ pooled: gradient }: { readonly pooled: { readonly data: Float32Array } }) {
          trained.grad ??= new Float32Array(trained.data.length)
          for (const [row, id] of ids.entries()) {
            for (let index = 0; index < width; index++)
              trained.grad[id * width + index]! += gradient.data[row * width + index]!
          }
        }
      }
    }
  }
}

suite('embeddings are trained', () => {
  const pairs = Array.from({ length: 6 }, (_, at) => ({
    ids: [at],
    others: [[at + 6]],
    labels: [1],
    areNumbers: true as const
  }))

  test('until each anchor finds its own positive', async () => {
    const model = new SimilarityModel(table(12, 4), { loss: 'multiple_negatives' })
    const evaluation = similarityEvaluation(model, pairs, { padTokenId: 0, batchSize: 4 })
    const before = await evaluation.run(0, {})
    const options = { maxSteps: 40, learningRate: 0.1, padTokenId: 0, perDeviceTrainBatchSize: 6 }
    for await (const _ of train(model, pairs, options));
    const after = await evaluation.run(40, {})
    assert.ok(before.accuracy! < 0.5, `before: ${before.accuracy}`)
    assert.equal(after.accuracy, 1)
    assert.deepEqual(Object.keys(after), evaluation.measures)
  })

  test('and scored pairs correlate with their scores', async () => {
    const scored = pairs.map((pair, at) => ({ ...pair, labels: [at / 5] }))
    const model = new SimilarityModel(table(12, 4), { loss: 'cosine' })
    const options = { maxSteps: 60, learningRate: 0.1, padTokenId: 0, perDeviceTrainBatchSize: 3 }
    for await (const _ of train(model, scored, options));
    const { pearson, spearman } = await similarityEvaluation(model, scored, { padTokenId: 0 }).run(60, {})
    assert.ok(pearson! > 0.98 && spearman === 1, `${pearson}, ${spearman}`)
  })
})
