import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { int64, type Tensor, tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { headLoss } from '../../../model/spans/loss.ts'
import { fullMask, rotaryFeeds, runBackward, runClient, runSpan, type Tensors } from '../spans.ts'
import {
  largestDifference,
  readReference,
  referenceModels,
  referencePath,
  relativeError,
  temporaryFolder
} from '../support.ts'

const trainable = { trainable: true }
const one = tensor('float32', [], Float32Array.of(1))

/** Gradients of the loss alone: the logits get none. */
const lossGradient = (logits: Tensor): Tensors => ({ 'grad.loss': one, 'grad.logits': tensor('float32', logits.shape) })

for (const model of referenceModels) {
  describe(`client graphs of '${model}' against PyTorch`, () => {
    test('logits, loss and its gradients', async () => {
      const checkpoint = await openCheckpoint(referencePath(model))
      const reference = await readReference(model)
      const names = checkpoint.family.clientTensorNames(checkpoint.config)
      const feeds = {
        hidden: reference['head.hidden']!,
        labels: reference['head.labels']!,
        ...lossGradient(reference['head.logits']!)
      }
      const wanted = ['hidden', names.norm!, names.head]
      const run = (graph: Parameters<typeof runClient>[1], all: Tensors) => runClient(checkpoint, graph, all)
      const actual = await runBackward(headLoss(checkpoint, trainable), wanted, feeds, run)
      assert.ok(largestDifference(actual.logits!, reference['head.logits']!) < 1e-5)
      assert.ok(relativeError(actual.loss!, reference['head.loss']!) < 1e-6)
      for (const [name, expected] of [
        ['hidden', 'head.grad_hidden'],
        [names.norm!, 'head.grad_norm'],
        [names.head, 'head.grad_head']
      ] as const) {
        const error = relativeError(actual[`grad.${name}`]!, reference[expected]!)
        assert.ok(error < 1e-5, `${expected}: relative error ${error}`)
      }
    })

    test('the whole model, from ids to logits and back to the embedding', async context => {
      const checkpoint = await openCheckpoint(referencePath(model))
      const { family, config } = checkpoint
      const reference = await readReference(model)
      const names = family.clientTensorNames(config)
      const cacheDir = await temporaryFolder(context)
      const onClient = (graph: Parameters<typeof runClient>[1], all: Tensors) => runClient(checkpoint, graph, all)
      const onServer = (graph: Parameters<typeof runSpan>[1], all: Tensors) => runSpan(checkpoint, graph, all, cacheDir)
      const ids = reference['model.ids']!
      const [batch, seq] = ids.shape as [number, number]
      const { hidden } = await onClient(family.embed(config, trainable), { ids })
      const span = family.forwardSpan(config, { blocks: { first: 0, end: config.numBlocks }, ports: [] })
      const spanFeeds = { hidden: hidden!, mask: fullMask(batch, seq), ...rotaryFeeds(checkpoint) }
      const { hidden_out } = await onServer(span, spanFeeds)

      const logits = reference['model.logits']!
      const headFeeds = { hidden: hidden_out!, labels: reference['model.labels']!, ...lossGradient(logits) }
      const head = await runBackward(headLoss(checkpoint, trainable), ['hidden', names.head], headFeeds, onClient)
      assert.ok(largestDifference(head.logits!, logits) < 1e-4)
      assert.ok(relativeError(head.loss!, reference['model.loss']!) < 1e-5)

      const blocks = await runBackward(
        span,
        ['hidden'],
        { ...spanFeeds, 'grad.hidden_out': head['grad.hidden']! },
        onServer
      )
      const embed = family.embed(config, trainable)
      const embedFeeds = { ids, 'grad.hidden': blocks['grad.hidden']! }
      const embedded = await runBackward(embed, [names.embedding], embedFeeds, onClient)
      const gradient = embedded[`grad.${names.embedding}`]!.data as Float32Array<ArrayBuffer>
      if (config.tiedEmbeddings) {
        const fromHead = head[`grad.${names.head}`]!.data
        for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i]! + Number(fromHead[i])
      }
      const total = tensor('float32', [config.vocabSize, config.hiddenSize], gradient)
      assert.ok(relativeError(total, reference['model.grad_embedding']!) < 1e-5)
    })
  })
}

describe('the loss', () => {
  test('of a batch whose labels are all ignored is NaN, as in PyTorch', async () => {
    const checkpoint = await openCheckpoint(referencePath('grouped'))
    const hidden = tensor('float32', [1, 3, 32], new Float32Array(96).fill(0.5))
    const feeds = { hidden, labels: int64([1, 3], [5, -100, -100]) }
    const { loss } = await runClient(checkpoint, headLoss(checkpoint, trainable), feeds)
    assert.ok(Number.isNaN(loss!.data[0]))
  })

  test('does not count the first label and predicts nothing from the last token', async () => {
    const checkpoint = await openCheckpoint(referencePath('grouped'))
    const hidden = tensor(
      'float32',
      [1, 3, 32],
      Float32Array.from({ length: 96 }, (_, i) => Math.sin(i))
    )
    const lossOf = async (labels: number[]) => {
      const { loss } = await runClient(checkpoint, headLoss(checkpoint, trainable), {
        hidden,
        labels: int64([1, 3], labels)
      })
      return Number(loss!.data[0])
    }
    assert.equal(await lossOf([7, 5, 6]), await lossOf([-100, 5, 6]))
    const mean = ((await lossOf([7, 5, -100])) + (await lossOf([7, -100, 6]))) / 2
    assert.ok(Math.abs((await lossOf([7, 5, 6])) - mean) < 1e-5)
  })
})
