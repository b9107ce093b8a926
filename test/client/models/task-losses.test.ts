// Heads of tasks through a swarm: logits, losses and gradients of transformers' classes (scripts/reference/task_losses.py).
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  AutoDistributedModelForMaskedLM,
  AutoDistributedModelForQuestionAnswering,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type Float32Tensor,
  type Parameter,
  type ProblemType,
  type Tensor
} from '../../../client/index.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { stacksOf } from '../../../model/config/config.ts'
import { assertClose } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'
import { familyPath } from '../../model/families/families.ts'
import { readReferences } from './adapters/follow-run.ts'

const expected = readReferences('task-losses.safetensors')
const models = [...new Set(Object.keys(expected).map(name => name.split('.')[0]!))]

type Ids = Tensor<'int64'>

interface Result {
  readonly loss: { readonly value: number; backward(): Promise<void> }
  readonly logits: Float32Tensor
}

interface Opened extends AsyncDisposable {
  parameters(): readonly Parameter[]
}

const classes: Readonly<Record<string, { numLabels: number; problemType?: ProblemType }>> = {
  many: { numLabels: 2, problemType: 'multi_label_classification' },
  number: { numLabels: 1 },
  numbers: { numLabels: 3, problemType: 'regression' },
  one: { numLabels: 3 }
}

for (const name of models) {
  describe(`heads over '${name}'`, () => {
    let swarm: TestSwarm
    before(async () => {
      const path = familyPath(name)
      const { config } = await openCheckpoint(path)
      const ranges = stacksOf(config).map(({ blocks }) => [blocks.first, blocks.end] as const)
      swarm = await startSwarm(ranges, { path })
    })
    after(() => swarm[Symbol.asyncDispose]())

    const check = async (kind: string, model: Opened, forward: () => Promise<Result>) => {
      const value = (part: string) => expected[`${name}.${kind}.${part}`] as Float32Tensor
      const parts = Object.keys(expected).filter(key => key.startsWith(`${name}.${kind}.`))
      const names = parts.map(key => key.slice(`${name}.${kind}.`.length))
      const parameters = new Map(model.parameters().map(each => [each.name, each]))
      for (const part of names.filter(each => each.startsWith('head.'))) {
        parameters.get(part.slice('head.'.length))!.data.set(value(part).data)
      }
      const { loss, logits } = await forward()
      assertClose([loss.value], value('loss').data, 1e-5, 'loss')
      const mask = (expected[`${name}.${kind}.mask`] as Ids).data
      const wanted = value('logits')
      assert.deepEqual(logits.shape, wanted.shape)
      const width = wanted.data.length / mask.length
      // what stands at padding means nothing
      const isCounted = (index: number) => wanted.shape.length === 2 || mask[Math.floor(index / width)] === 1n
      const counted = (values: Float32Array) => values.filter((_, index) => isCounted(index))
      assert.ok(relative(counted(logits.data), counted(wanted.data)) < 1e-5, 'logits')
      await loss.backward()
      for (const part of names.filter(each => each.startsWith('grad.'))) {
        const embedding = /(embed|embeddings|wte)[._](word_embeddings|tokens|weight)|shared\.weight/
        const found =
          part === 'grad.embedding'
            ? [...parameters.values()].find(each => embedding.test(each.name) && !/position|type/.test(each.name))
            : parameters.get(part.slice('grad.'.length))
        const wanted = value(part).data
        // a softmax does not see what is added to all of its logits
        const isNothing = wanted.every(each => Math.abs(each) < 1e-6)
        const error = isNothing ? Math.max(...found!.grad!.map(Math.abs)) : relative(found!.grad!, wanted)
        assert.ok(error < 2e-5, `${part}: ${error}`)
      }
    }
    const ids = (kind: string, part: string) => expected[`${name}.${kind}.${part}`] as Ids
    const inputOf = (kind: string) => ({ inputIds: ids(kind, 'ids'), attentionMask: ids(kind, 'mask') })
    const has = (kind: string) => ({ skip: !(`${name}.${kind}.loss` in expected) && 'no such class' })

    for (const [kind, options] of Object.entries(classes)) {
      it(`sequences: ${kind}`, has(kind), async () => {
        const given = { initialPeers: swarm.join, home: null, ...options }
        // the folder's own head has two labels
        if (options.numLabels !== 2 && !['gpt2', 'qwen3', 't5', 'bart', 'mbart'].includes(name)) {
          const message = /but the checkpoint has a head of 2/
          const opening = AutoDistributedModelForSequenceClassification.fromPretrained(familyPath(name), given)
          return await assert.rejects(opening, { code: 'INVALID_ARGUMENT', message })
        }
        await using model = await AutoDistributedModelForSequenceClassification.fromPretrained(familyPath(name), given)
        await check(kind, model, () => model.forward({ ...inputOf(kind), labels: ids(kind, 'labels') }))
      })
    }

    it('a label for each token', has('tokens'), async () => {
      const options = { initialPeers: swarm.join, home: null, numLabels: 3 }
      await using model = await AutoDistributedModelForTokenClassification.fromPretrained(familyPath(name), options)
      await check('tokens', model, () => model.forward({ ...inputOf('tokens'), labels: ids('tokens', 'labels') }))
    })

    it("states of the encoder, and a caller's loss over them", {
      skip: !(`${name}.features.states` in expected) && 'no such class'
    }, async () => {
      const value = (part: string) => expected[`${name}.features.${part}`] as Float32Tensor
      await using model = await AutoDistributedModel.fromPretrained(familyPath(name), {
        initialPeers: swarm.join,
        home: null
      })
      const out = await model.forward(inputOf('features'), { training: true })
      const weight = value('weight')
      const counted = ({ data }: Float32Tensor) => data.filter((_, index) => weight.data[index] !== 0)
      assert.deepEqual(out.lastHiddenState.shape, value('states').shape)
      assert.ok(relative(counted(out.lastHiddenState), counted(value('states'))) < 1e-5, 'states')
      await out.backward({ lastHiddenState: weight })
      const parameters = new Map(model.parameters().map(each => [each.name, each.grad]))
      assert.ok(relative(parameters.get('shared.weight')!, value('grad.embedding').data) < 2e-5, 'embeddings')
      const norm = 'encoder.final_layer_norm.weight'
      assert.ok(relative(parameters.get(norm)!, value(`grad.${norm}`).data) < 2e-5, norm)
    })

    it('refuses padding on the left where the decoder reads the row too', {
      skip: !['t5', 'bart', 'mbart'].includes(name) && 'no decoder behind an encoder'
    }, async () => {
      const options = { initialPeers: swarm.join, home: null }
      await using model = await AutoDistributedModelForQuestionAnswering.fromPretrained(familyPath(name), options)
      await assert.rejects(
        model.forward({
          inputIds: [
            [1, 5, 6],
            [7, 8, 9]
          ],
          attentionMask: [
            [0, 1, 1],
            [1, 1, 1]
          ]
        }),
        { code: 'INVALID_ARGUMENT', message: /attentionMask, row 0: expected padding on the right/ }
      )
    })

    it('both ends of answers', has('answers'), async () => {
      const options = { initialPeers: swarm.join, home: null }
      await using model = await AutoDistributedModelForQuestionAnswering.fromPretrained(familyPath(name), options)
      await check('answers', model, async () => {
        const [startPositions, endPositions] = ['start_positions', 'end_positions'].map(part => ids('answers', part))
        const positions = { startPositions: startPositions!, endPositions: endPositions! }
        const { loss, startLogits, endLogits } = await model.forward({ ...inputOf('answers'), ...positions })
        const data = Float32Array.from({ length: 2 * startLogits.data.length }, (_, index) =>
          index % 2 === 0 ? startLogits.data[index / 2]! : endLogits.data[(index - 1) / 2]!
        )
        return { loss, logits: { dtype: 'float32', shape: [...startLogits.shape, 2], data } }
      })
    })

    it('masked tokens', has('masked'), async () => {
      const options = { initialPeers: swarm.join, home: null }
      await using model = await AutoDistributedModelForMaskedLM.fromPretrained(familyPath(name), options)
      await check('masked', model, () => model.forward({ ...inputOf('masked'), labels: ids('masked', 'labels') }))
    })
  })
}
