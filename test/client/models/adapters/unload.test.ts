// A model without its adapter for a while, and for good, as PEFT's users know it: disable_adapter and unload.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModelForSequenceClassification,
  type DistributedModelForCausalLM,
  getPeftModel,
  type PeftConfig
} from '../../../../client/index.ts'
import { createRandom } from '../../../../common/random.ts'
import { referencePath } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'

const path = referencePath('adapters', 'tied')
const inputIds = [[5, 9, 33, 12]]
const generation = { maxNewTokens: 5, eosTokenIds: [] }

const configs: Record<string, PeftConfig> = {
  'LoRA with dropout and an embedding of its own': {
    peftType: 'LORA',
    r: 4,
    loraDropout: 0.5,
    targetModules: ['q_proj', 'down_proj'],
    modulesToSave: ['embed_tokens', 'lm_head']
  } as PeftConfig,
  'a prefix from an encoder': {
    peftType: 'PREFIX_TUNING',
    numVirtualTokens: 4,
    prefixProjection: true,
    encoderHiddenSize: 24
  },
  prompts: { peftType: 'PROMPT_TUNING', numVirtualTokens: 4 }
}

describe('a model with an adapter', () => {
  let swarm: TestSwarm
  let base: DistributedModelForCausalLM
  before(async () => {
    swarm = await startSwarm([[0, 3]], { path })
    base = await swarm.connect()
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  /** One whose logits are far from the base model's. */
  async function tuned(config: PeftConfig) {
    const model = await getPeftModel(base, config)
    const random = createRandom(1)
    for (const { data } of model.parameters()) data.set(data.map(() => 0.3 * random.normal()))
    return model
  }

  for (const [name, config] of Object.entries(configs)) {
    it(`(${name}) computes and generates without it while it is disabled, and with it again after`, async () => {
      const model = await tuned(config)
      const plain = await base.forward({ inputIds, labels: inputIds })
      const tokens = await base.generate(inputIds[0]!, generation)
      const adapted = await model.eval().forward({ inputIds })
      assert.notDeepEqual(adapted.logits!.data, plain.logits!.data)
      model.train()
      const without = await model.disableAdapter(async () => {
        const nested = await model.disableAdapter(() => model.generate(inputIds[0]!, generation))
        assert.deepEqual(nested, tokens)
        return await model.forward({ inputIds, labels: inputIds })
      })
      assert.deepEqual([without.logits, without.loss.value], [plain.logits, plain.loss.value])
      assert.ok(model.parameters().every(({ requiresGrad }) => requiresGrad))
      assert.deepEqual((await model.eval().forward({ inputIds })).logits, adapted.logits)
    })

    it(`(${name}) gives the model under it back, and frees what it holds`, async () => {
      const held = base.parts.owned.size
      const plain = await base.forward({ inputIds })
      const [model, other] = [await tuned(config), await tuned(config)]
      const expected = (await other.eval().forward({ inputIds })).logits
      assert.equal(base.parts.owned.size, held + 2)
      assert.equal(await model.unload(), base)
      assert.equal(base.parts.owned.size, held + 1)
      assert.deepEqual((await base.forward({ inputIds })).logits, plain.logits)
      await assert.rejects(model.forward({ inputIds }), {
        code: 'INVALID_ARGUMENT',
        message: /the adapter is unloaded/
      })
      await assert.rejects(model.generate(inputIds[0]!), { message: /use the model that unload\(\) returned/ })
      assert.deepEqual((await other.forward({ inputIds })).logits, expected)
      await other.unload()
      await other.unload()
    })
  }

  it('is enabled again where what runs without it fails; a plain model has none', async () => {
    const model = await tuned(configs.prompts!)
    const adapted = (await model.eval().forward({ inputIds })).logits
    await assert.rejects(
      model.disableAdapter(() => model.forward({ inputIds: [[999]] })),
      { code: 'INVALID_ARGUMENT' }
    )
    assert.deepEqual((await model.forward({ inputIds })).logits, adapted)
    await assert.rejects(
      base.disableAdapter(() => null),
      { code: 'INVALID_ARGUMENT', message: /no adapter/ }
    )
    await model.unload()
  })

  it('of a classification has the head of the model under it while it is disabled', async () => {
    const classes = { initialPeers: swarm.join, numLabels: 3 }
    await using classifier = await AutoDistributedModelForSequenceClassification.fromPretrained(path, classes)
    const model = await getPeftModel(classifier, { peftType: 'IA3', modulesToSave: ['model.norm'] })
    for (const { name, data } of model.parameters()) if (!name.endsWith('ia3_l')) data.fill(2)
    const plain = await classifier.forward({ inputIds })
    assert.notDeepEqual((await model.forward({ inputIds })).logits, plain.logits)
    assert.deepEqual((await model.disableAdapter(() => model.forward({ inputIds }))).logits, plain.logits)
    assert.equal(await model.unload(), classifier)
    assert.deepEqual((await classifier.forward({ inputIds })).logits, plain.logits)
  })
})
