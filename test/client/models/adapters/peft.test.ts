// Adapters over real servers: trained as PEFT trains them, saved, loaded, used in generation.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type DistributedModelForCausalLM,
  type Example,
  getPeftModel,
  type PeftConfig,
  PeftModel,
  train
} from '../../../../client/index.ts'
import { createRandom } from '../../../../common/random.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { type Bases, startBases } from '../../../../testing/peft-bases.ts'
import { referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { relative, startSwarm } from '../../../../testing/swarm.ts'
import { baseOf, tuningRuns } from '../../../../testing/tuning-runs.ts'
import { followRun, readReferences } from './follow-run.ts'

const lora: PeftConfig = { peftType: 'LORA', r: 4, loraAlpha: 10, targetModules: ['q_proj', 'v_proj', 'down_proj'] }
/** Something in every parameter: B is zero at first. */
function scramble(model: PeftModel, seed = 1): void {
  const random = createRandom(seed)
  for (const { data } of model.parameters()) data.set(data.map(() => 0.3 * random.normal()))
}

describe('an adapter over two servers', () => {
  let bases: Bases
  let base: DistributedModelForCausalLM
  before(async () => {
    bases = await startBases([
      [0, 2],
      [1, 3]
    ])
    base = bases.of('base')
  })
  after(() => bases[Symbol.asyncDispose]())

  for (const [name, learningRate, config] of tuningRuns) {
    it(`learns in twenty steps of '${name}' what PEFT learns`, async () => {
      const base = bases.of(name)
      const model = await getPeftModel(base, config)
      await followRun(model, readReferences('tuning', `${name}.safetensors`), learningRate, async (inputs, step) => {
        const { ids, mask, labels } = inputs as Record<string, Tensor<'int64'>>
        const input = { inputIds: ids!, attentionMask: mask!, labels: labels! }
        return (await model.forward(input, { training: true, seed: step })).loss
      })
      assert.ok(base.parameters().every(parameter => parameter.grad === null && !parameter.requiresGrad))
    })

    it(`of '${name}' generates what its own logits say`, async () => {
      const base = bases.of(name)
      const model = await getPeftModel(base, config)
      scramble(model)
      model.eval()
      const prompts = [
        [5, 9, 33, 12, 7],
        [40, 3]
      ]
      const rows = await model.generate(prompts, { maxNewTokens: 6, eosTokenIds: [], padTokenId: 0 })
      for (const [index, prompt] of prompts.entries()) {
        const row = rows[index]!.slice(5 - prompt.length)
        const { logits } = await model.forward({ inputIds: row })
        const [, length, vocabulary] = logits.shape as [number, number, number]
        for (let position = length - 7; position < length - 1; position++) {
          const scores = logits.data.subarray(position * vocabulary, (position + 1) * vocabulary)
          const token = row[row.length - length + position + 1]
          assert.equal(scores.indexOf(Math.max(...scores)), token, `prompt ${index}, position ${position}`)
        }
      }
      const plain = await base.generate(prompts, { maxNewTokens: 6, eosTokenIds: [], padTokenId: 0 })
      assert.notDeepEqual(plain, rows)
    })

    it(`of '${name}' is the same after saving and loading`, async context => {
      const base = bases.of(name)
      const model = await getPeftModel(base, config)
      scramble(model)
      const folder = await temporaryFolder(context)
      await model.savePretrained(folder)
      const loaded = await PeftModel.fromPretrained(base, folder)
      const inputIds = [[5, 9, 33, 12]]
      const expected = await model.eval().forward({ inputIds })
      assert.deepEqual((await loaded.forward({ inputIds })).logits, expected.logits)
      assert.ok(loaded.parameters().every(parameter => !parameter.requiresGrad))
      const trainable = await PeftModel.fromPretrained(base, folder, { isTrainable: true })
      assert.ok(trainable.parameters().every(parameter => parameter.requiresGrad))
    })
  }

  for (const name of [
    'lora',
    'lora-stabilized',
    'lora-patterns',
    'lora-bias-all',
    'lora-bias-only',
    'ia3',
    'ia3-all',
    'lora-modules',
    'ia3-tied',
    'adalora',
    'prompt',
    'prefix',
    'prefix-projection',
    'p-tuning',
    'p-tuning-lstm'
  ]) {
    it(`'${name}' as PEFT saved it gives PEFT's logits`, async () => {
      const expected = readReferences('adapters', 'logits.safetensors')
      const model = await PeftModel.fromPretrained(bases.of(name), referencePath('adapters', name))
      const inputIds = expected.ids as Tensor<'int64'>
      const attentionMask = expected.mask as Tensor<'int64'>
      const { logits } = await model.forward({ inputIds, attentionMask })
      const reference = expected[`${name}.logits`] as Float32Tensor
      assert.deepEqual(logits.shape, reference.shape)
      // the first row has no padding
      const first = logits.data.length / 2
      assert.ok(relative(logits.data.subarray(0, first), reference.data.subarray(0, first)) < 1e-5)
    })

    it(`'${name}' is saved as PEFT saved it`, async context => {
      const model = await PeftModel.fromPretrained(bases.of(name), referencePath('adapters', name))
      const folder = await temporaryFolder(context)
      await model.savePretrained(folder)
      const file = join(folder, 'adapter_model.safetensors')
      const saved = decodeSafetensors(readFileSync(file), file).tensors
      assert.deepEqual(saved, readReferences('adapters', name, 'adapter_model.safetensors'))
    })
  }

  it('drops inputs in training only, the same ones for the same seed', async () => {
    const model = await getPeftModel(base, { ...lora, peftType: 'LORA', loraDropout: 0.5 }, { seed: 3 })
    const twin = await getPeftModel(base, { ...lora, peftType: 'LORA', loraDropout: 0.5 }, { seed: 3 })
    for (const each of [model, twin]) scramble(each)
    const input = { inputIds: [[5, 9, 33, 12, 7, 21]], labels: [[5, 9, 33, 12, 7, 21]] }
    const lossOf = async (one: PeftModel, options = {}) => (await one.forward(input, options)).loss.value
    assert.equal(model.training, true)
    const first = await lossOf(model)
    const second = await lossOf(model)
    assert.notEqual(first, second, 'every call drops others')
    assert.deepEqual([await lossOf(twin), await lossOf(twin)], [first, second])
    assert.equal(await lossOf(model, { training: true, seed: 8 }), await lossOf(twin, { training: true, seed: 8 }))
    const kept = await lossOf(model, { training: false })
    assert.equal(await lossOf(model.eval()), kept)
    assert.notEqual(first, kept)
  })

  it('is trained by the loop as it is', async () => {
    const model = await getPeftModel(base, { peftType: 'LORA', r: 4, targetModules: 'all-linear' })
    const ids = [5, 9, 33, 12, 7, 21]
    const examples: Example[] = [{ ids, labels: [-100, -100, ...ids.slice(2)] }]
    const losses: number[] = []
    for await (const { loss } of train(model, examples, {
      maxSteps: 15,
      perDeviceTrainBatchSize: 1,
      learningRate: 2e-2,
      padTokenId: 0
    })) {
      losses.push(loss)
    }
    assert.ok(losses.at(-1)! < 0.1 * losses[0]!, losses.join())
    assert.deepEqual(await model.generate(ids.slice(0, 2), { maxNewTokens: 4, eosTokenIds: [] }), [ids])
  })

  it('trains copies of whole modules: the model under it stays as it was', async () => {
    const tied = bases.of('tied')
    const inputIds = [[5, 9, 33, 12]]
    const before = await tied.forward({ inputIds })
    const config: PeftConfig = { peftType: 'IA3', modulesToSave: ['lm_head'] }
    const model = await getPeftModel(tied, config)
    assert.deepEqual((await model.eval().forward({ inputIds })).logits, before.logits)
    const own = model.parameters().filter(({ name }) => !name.endsWith('ia3_l'))
    assert.deepEqual(
      own.map(({ name, shape }) => [name, shape]),
      [['lm_head.weight', [64, 32]]]
    )
    const { loss } = await model.forward({ inputIds, labels: inputIds })
    await loss.backward()
    assert.ok(own[0]!.grad!.some(value => value !== 0))
    own[0]!.data.fill(0.5)
    const after = await model.forward({ inputIds })
    assert.notDeepEqual(after.logits, before.logits)
    // embeddings do not change with the head that they were tied to
    const [first] = after.logits!.data
    assert.ok(after.logits!.data.subarray(0, 64).every(value => value === first))
    assert.deepEqual((await tied.forward({ inputIds })).logits, before.logits)
  })

  it('names the modules outside the blocks where modulesToSave means none of them, or some inside', async () => {
    const wrong = [
      [['score'], /no module matches 'score'; outside the blocks there are model.embed_tokens, lm_head, model.norm$/],
      [['norm'], /'norm' also names modules of blocks \(model.layers.0.input_layernorm\)/]
    ] as const
    for (const [modulesToSave, message] of wrong) {
      const config: PeftConfig = { peftType: 'LORA', modulesToSave }
      await assert.rejects(getPeftModel(base, config), { code: 'INVALID_ARGUMENT', message })
    }
  })

  it('is refused where it does not fit the model', async () => {
    const config: PeftConfig = { peftType: 'LORA', targetModules: ['wrong'] }
    await assert.rejects(getPeftModel(base, config), { code: 'INVALID_ARGUMENT', message: /no module matches 'wrong'/ })
    await assert.rejects(PeftModel.fromPretrained(base, referencePath('grouped')), { code: 'NOT_FOUND' })
  })
})

describe('gradients of an adapter', () => {
  it('do not depend on how the blocks are split, nor on how the batch is cut', async () => {
    const rows = [
      [5, 9, 33, 12, 7, 21],
      [8, 14, 50, 3, 0, 0],
      [60, 2, 17, 9, 30, 0]
    ]
    const input = {
      inputIds: rows,
      labels: rows.map(row => row.map(id => (id === 0 ? -100 : id))),
      attentionMask: rows.map(row => row.map(id => (id === 0 ? 0 : 1)))
    }
    const gradientsThrough = async (
      path: string,
      ranges: readonly (readonly [number, number])[],
      config: PeftConfig,
      subBatchTokens: number,
      residualBytes?: number
    ) => {
      await using swarm = await startSwarm(ranges, { path, server: { residualBytes } })
      await using base = await swarm.connect({ remote: { subBatchTokens } })
      const model = await getPeftModel(base, config)
      scramble(model)
      const { loss } = await model.forward(input)
      await loss.backward()
      return model.parameters().map(({ grad }) => grad!)
    }
    for (const [name, , config] of tuningRuns) {
      const path = referencePath(baseOf(name))
      const one = await gradientsThrough(path, [[0, 3]], config, 1024)
      const others = {
        'two servers': await gradientsThrough(
          path,
          [
            [0, 1],
            [1, 3]
          ],
          config,
          1024
        ),
        'overlapping, rows by themselves, recomputed': await gradientsThrough(
          path,
          [
            [0, 2],
            [1, 3]
          ],
          config,
          6,
          0
        )
      }
      for (const [how, gradients] of Object.entries(others)) {
        for (const [index, gradient] of gradients.entries()) {
          const difference = relative(gradient, one[index]!)
          assert.ok(difference < 1e-6, `${name}, ${how}, parameter ${index}: ${difference}`)
        }
      }
    }
  })
})
