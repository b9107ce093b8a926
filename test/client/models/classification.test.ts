// Classification through two servers: heads on the client, trained alone or with an adapter.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type DistributedModelForSequenceClassification,
  type DistributedModelForTokenClassification,
  type Example,
  getPeftModel,
  type Parameter,
  type PeftConfig,
  PeftModel,
  type TrainOptions,
  train
} from '../../../client/index.ts'
import { createRandom } from '../../../common/random.ts'
import { float32, int64 } from '../../../common/tensor.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath, temporaryFolder } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const path = referencePath('adapters', 'base')
const configs: readonly PeftConfig[] = [
  { peftType: 'LORA', r: 4, loraDropout: 0.1 },
  { peftType: 'ADALORA', totalStep: 20, tinit: 2, tfinal: 2, initR: 4, targetR: 2 },
  { peftType: 'PROMPT_TUNING', numVirtualTokens: 4 },
  { peftType: 'PREFIX_TUNING', numVirtualTokens: 4 },
  { peftType: 'PREFIX_TUNING', numVirtualTokens: 4, prefixProjection: true },
  { peftType: 'P_TUNING', numVirtualTokens: 4, encoderHiddenSize: 16 }
]
const rows = [
  [5, 9, 33, 12, 7],
  [40, 3, 8],
  [11, 60, 22, 19]
]

/** Rows filled up to the longest, on one side or the other. */
function padded(side: 'left' | 'right') {
  const fill = (row: readonly number[], what: readonly number[], filler: number) => {
    const padding = Array<number>(5 - row.length).fill(filler)
    return side === 'left' ? [...padding, ...what] : [...what, ...padding]
  }
  return {
    inputIds: rows.map(row => fill(row, row, 0)),
    attentionMask: rows.map(row =>
      fill(
        row,
        row.map(() => 1),
        0
      )
    )
  }
}

/** The slope along a random direction, and what the gradient says it is, relative to the gradient's length. */
async function slopeError(parameter: Parameter, loss: () => Promise<number>): Promise<number> {
  const random = createRandom(9)
  const direction = parameter.data.map(() => random.normal())
  const first = parameter.data.slice()
  const step = 1e-2
  const at = async (distance: number) => {
    parameter.data.set(first.map((value, index) => value + distance * direction[index]!))
    return await loss()
  }
  const slope = ((await at(step)) - (await at(-step))) / (2 * step)
  parameter.data.set(first)
  const expected = parameter.grad!.reduce((sum, value, index) => sum + value * direction[index]!, 0)
  return Math.abs(slope - expected) / Math.hypot(...parameter.grad!)
}

describe('a model for sequence classification', () => {
  let swarm: TestSwarm
  let base: DistributedModelForSequenceClassification
  before(async () => {
    const ranges = [
      [0, 2],
      [2, 3]
    ] as const
    swarm = await startSwarm(ranges, { path })
    base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
      initialPeers: swarm.join,
      id2label: { 0: 'low', 1: 'middle', 2: 'high' },
      seed: 5
    })
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  it('knows its labels, and begins with a head of the spread that config.json says', () => {
    assert.deepEqual([base.numLabels, base.id2label, base.label2id.high], [3, ['low', 'middle', 'high'], 2])
    const score = base.parameters().find(({ name }) => name === 'score.weight')!
    assert.deepEqual(score.shape, [3, 32])
    const deviation = Math.hypot(...score.data) / Math.sqrt(score.data.length)
    assert.ok(deviation > 0.16 && deviation < 0.24, `${deviation}`)
    assert.ok(!base.parameters().some(({ name }) => name === 'lm_head.weight'))
  })

  it('names the modules outside the blocks, of which the language head is none', async () => {
    const config = { peftType: 'LORA', modulesToSave: ['lm_head', 'score'] } as const
    await assert.rejects(getPeftModel(base, config), {
      code: 'INVALID_ARGUMENT',
      message: /no module matches 'lm_head'; outside the blocks there are model.embed_tokens, model.norm$/
    })
  })

  it('scores the last token of a sequence, wherever the padding is', async () => {
    const alone = await Promise.all(rows.map(row => base.forward({ inputIds: row })))
    for (const side of ['left', 'right'] as const) {
      const { logits } = await base.forward(padded(side))
      assert.deepEqual(logits.shape, [3, 3])
      for (const [row, { logits: expected }] of alone.entries()) {
        assertClose(logits.data.subarray(3 * row, 3 * row + 3), expected.data, 1e-5, `row ${row}, ${side}`)
      }
    }
  })

  it('has the gradients of finite differences for head and norm', async () => {
    const input = { ...padded('right'), labels: [2, 0, -100] }
    const { loss, logits } = await base.forward(input)
    const picked = [2, 3].map((at, row) => {
      const scores = [...logits.data.subarray(3 * row, 3 * row + 3)]
      return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - logits.data[at]!
    })
    assertClose([loss.value], [(picked[0]! + picked[1]!) / 2], 1e-5, 'loss')
    await loss.backward()
    for (const parameter of base.parameters().filter(({ name }) => /score|model\.norm/.test(name))) {
      const again = async () => (await base.forward(input, { training: false })).loss.value
      const error = await slopeError(parameter, again)
      assert.ok(error < 5e-3, `${parameter.name}: ${error}`)
    }
    base.zeroGrad()
  })

  for (const config of configs) {
    const kind = `${config.peftType}${'prefixProjection' in config ? ' with projection' : ''}`
    it(`learns by ${kind}; the adapter is saved with the head and loaded again`, async context => {
      const model = await getPeftModel(base, config, { seed: 3 })
      const random = createRandom(4)
      const examples: Example[] = Array.from({ length: 12 }, (_, index) => {
        const label = index % 3
        const ids = Array.from({ length: 3 + random.integer(4) }, () => 3 + 20 * label + random.integer(20))
        return { ids, labels: [label] }
      })
      const losses: number[] = []
      const options: TrainOptions = { maxSteps: 20, perDeviceTrainBatchSize: 12, learningRate: 0.02, padTokenId: 0 }
      for await (const { loss } of train(model, examples, options)) losses.push(loss)
      assert.ok(losses.at(-1)! < 0.7 * losses[0]!, `losses ${losses}`)
      assert.ok(base.parameters().every(({ grad }) => grad === null))

      const folder = await temporaryFolder(context as never)
      await model.savePretrained(folder)
      const expected = (await model.eval().forward(padded('right'))).logits
      const again = await PeftModel.fromPretrained(base, folder)
      assert.deepEqual((await again.forward(padded('right'))).logits, expected)
      assert.notDeepEqual((await base.forward(padded('right'))).logits, expected)
      assert.ok(again.parameters().every(({ requiresGrad }) => !requiresGrad))
      assert.equal(again.id2label[1], 'middle')
    })
  }

  it('refuses labels that there are not: which, where, and what there is', async () => {
    const { inputIds, attentionMask } = padded('right')
    const forward = (labels: number[]) => base.forward({ inputIds, attentionMask, labels })
    await assert.rejects(forward([0, 3, 1]), {
      code: 'INVALID_ARGUMENT',
      message: 'labels, row 1: label 3: expected 0 to 2 (low, middle, high), or -100 for none'
    })
    await assert.rejects(forward([0, 1]), /one label for each of 3 sequences, found 2/)
    const labels = int64([3, 2], [0, 1, 0, 1, 0, 1])
    await assert.rejects(base.forward({ inputIds, attentionMask, labels }), /found rows of 2/)
  })

  it('refuses problems that there are not, and labels that contradict each other', async () => {
    const open = (options: object) =>
      AutoDistributedModelForSequenceClassification.fromPretrained(path, { initialPeers: swarm.join, ...options })
    const single = { numLabels: 1, problemType: 'single_label_classification' }
    await assert.rejects(open(single), { code: 'INVALID_ARGUMENT', message: /numLabels 1: a single label of one/ })
    const message = /problemType: expected single_label_classification, .* found "ranking"/
    await assert.rejects(open({ problemType: 'ranking' }), { code: 'INVALID_ARGUMENT', message })
    await assert.rejects(open({ numLabels: 2, id2label: ['a', 'b', 'c'] }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(open({ id2label: { 0: 'a', 2: 'c' } }), /none has the number 1/)
    await assert.rejects(open({ id2label: ['a', 'a'] }), /two labels are called 'a'/)
  })
})

describe('a model for token classification', () => {
  let swarm: TestSwarm
  let base: DistributedModelForTokenClassification
  before(async () => {
    swarm = await startSwarm([[0, 3]], { path })
    base = await AutoDistributedModelForTokenClassification.fromPretrained(path, {
      initialPeers: swarm.join,
      numLabels: 3,
      seed: 5
    })
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  const labels = [
    [0, 1, 2, -100, 1],
    [2, 2, 0, -100, -100],
    [-100, 1, 1, 0, -100]
  ]

  it('has the gradients of finite differences for head, bias and norm', async () => {
    const input = { ...padded('right'), labels }
    const { loss, logits } = await base.forward(input)
    assert.deepEqual(logits.shape, [3, 5, 3])
    await loss.backward()
    const wanted = base.parameters().filter(({ name }) => /score|model\.norm/.test(name))
    assert.deepEqual(
      wanted.map(({ name }) => name),
      ['model.norm.weight', 'score.weight', 'score.bias']
    )
    for (const parameter of wanted) {
      const again = async () => (await base.forward(input, { training: false })).loss.value
      const error = await slopeError(parameter, again)
      assert.ok(error < 5e-3, `${parameter.name}: ${error}`)
    }
    base.zeroGrad()
  })

  it('drops numbers of the states while it trains: the same for one seed, another for the next', async () => {
    const input = { ...padded('right'), labels }
    const lossOf = async (options: object) => (await base.forward(input, options)).loss.value
    const plain = await lossOf({ training: false })
    const first = await lossOf({ training: true, seed: 1 })
    assert.equal(await lossOf({ training: true, seed: 1 }), first)
    assert.notEqual(await lossOf({ training: true, seed: 2 }), first)
    assert.notEqual(first, plain)
    // in the mean nothing changes
    let sum = 0
    for (let seed = 0; seed < 40; seed++) sum += (await base.forward(input, { training: true, seed })).logits.data[0]!
    const { logits } = await base.forward(input)
    assert.ok(Math.abs(sum / 40 - logits.data[0]!) < 0.35, `${sum / 40} ${logits.data[0]}`)
  })

  for (const config of configs) {
    const kind = `${config.peftType}${'prefixProjection' in config ? ' with projection' : ''}`
    it(`learns by ${kind}; the adapter is saved with the head and loaded again`, async context => {
      const model = await getPeftModel(base, config, { seed: 3 })
      const examples: Example[] = rows.map(ids => ({ ids, labels: ids.map(id => id % 3) }))
      const losses: number[] = []
      const options: TrainOptions = { maxSteps: 20, perDeviceTrainBatchSize: 3, learningRate: 0.02, padTokenId: 0 }
      for await (const { loss } of train(model, examples, options)) losses.push(loss)
      assert.ok(losses.at(-1)! < 0.7 * losses[0]!, `losses ${losses}`)

      const folder = await temporaryFolder(context as never)
      await model.savePretrained(folder)
      const expected = (await model.eval().forward(padded('right'))).logits
      const again = await PeftModel.fromPretrained(base, folder)
      assert.deepEqual((await again.forward(padded('right'))).logits, expected)
    })
  }

  it('is not loaded from an adapter of another task', async context => {
    const other = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
      initialPeers: swarm.join,
      numLabels: 3
    })
    try {
      const model = await getPeftModel(other, { peftType: 'LORA', r: 2 })
      const folder = await temporaryFolder(context as never)
      await model.savePretrained(folder)
      await assert.rejects(PeftModel.fromPretrained(base, folder), {
        code: 'BAD_CHECKPOINT',
        message: /the adapter is for SEQ_CLS, the model for TOKEN_CLS/
      })
    } finally {
      await other.close()
    }
  })
})

describe('a checkpoint of a classification', () => {
  it('gives its own head and labels, and no language model', async context => {
    const folder = await temporaryFolder(context as never)
    const file = 'model.safetensors'
    const { 'lm_head.weight': _, ...tensors } = decodeSafetensors(await readFile(join(path, file)), file).tensors
    const weight = float32(
      [2, 32],
      Array.from({ length: 64 }, (_, index) => index / 64)
    )
    await writeFile(join(folder, file), encodeSafetensors({ ...tensors, 'score.weight': weight }))
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    const fields = { architectures: ['LlamaForSequenceClassification'], id2label: { 0: 'no', 1: 'yes' } }
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, ...fields }))
    await using swarm = await startSwarm([[0, 3]], { path: folder })
    const open = (options: object = {}) =>
      AutoDistributedModelForSequenceClassification.fromPretrained(folder, { initialPeers: swarm.join, ...options })
    await using model = await open()
    assert.deepEqual(model.id2label, ['no', 'yes'])
    assert.deepEqual(model.parameters().find(({ name }) => name === 'score.weight')!.data, weight.data)
    const { logits } = await model.forward({ inputIds: rows[0]! })
    assert.equal(logits.data.length, 2)
    await assert.rejects(open({ numLabels: 3 }), {
      code: 'INVALID_ARGUMENT',
      message: /numLabels: 3, but the checkpoint has a head of 2/
    })
    await assert.rejects(swarm.connect(), { code: 'NOT_FOUND', message: /no tensor 'lm_head.weight'/ })
  })
})
