// Adapters of project_in and project_out, which OPT-350m has outside the blocks: loaded, trained and saved as PEFT does it
// (scripts/reference/opt_projections.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  AutoDistributedModelForSequenceClassification,
  type DistributedModelForCausalLM,
  exportMerged,
  getPeftModel,
  type PeftConfig,
  PeftModel
} from '../../../../client/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { followRun, rankPattern, readReferences } from './follow-run.ts'

const folder = 'opt-projections'
const cases = ['all-linear', 'projections', 'saved-whole', 'ia3', 'adalora']
const both = ['project_in', 'project_out']
const allLinear = { targetModules: 'all-linear' } as const
const schedule = { tinit: 3, tfinal: 5, deltaT: 2, totalStep: 20 }
const runs: readonly (readonly [name: string, rate: number, config: PeftConfig])[] = [
  ['all-linear', 5e-3, { peftType: 'LORA', r: 2, loraAlpha: 6, ...allLinear }],
  [
    'ia3',
    2e-2,
    { peftType: 'IA3', targetModules: ['k_proj', 'fc2', ...both], feedforwardModules: ['project_out', 'fc2'] }
  ],
  ['adalora', 2e-2, { peftType: 'ADALORA', initR: 3, targetR: 2, loraAlpha: 10, ...schedule, ...allLinear }]
]

describe('adapters of the projections of OPT-350m', () => {
  const path = referencePath('families/opt-350m')
  let swarm: TestSwarm
  let base: DistributedModelForCausalLM
  before(async () => {
    swarm = await startSwarm(
      [
        [0, 1],
        [1, 2]
      ],
      { path }
    )
    base = await swarm.connect()
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  const expected = readReferences(folder, 'logits.safetensors')
  const mask = expected.mask as Tensor<'int64'>
  const counts = (index: number, width: number): boolean => mask.data[Math.floor(index / width)] === 1n

  /** Logits of every position that is not padding. */
  async function logitsOf(model: Pick<DistributedModelForCausalLM, 'forward'>): Promise<number[]> {
    const { logits } = await model.forward({ inputIds: expected.ids as Tensor<'int64'>, attentionMask: mask })
    return [...logits.data].filter((_, index) => counts(index, logits.shape.at(-1)!))
  }

  function referenceOf(name: string): number[] {
    const { data, shape } = expected[`${name}.logits`] as Float32Tensor
    return [...data].filter((_, index) => counts(index, shape.at(-1)!))
  }

  for (const name of cases) {
    it(`'${name}' as PEFT saved it gives PEFT's logits, saved again too, and leaves the model as it was`, async context => {
      const model = await PeftModel.fromPretrained(base, referencePath(folder, name))
      assertClose(await logitsOf(model), referenceOf(name), 1e-4, 'logits')
      assertClose(await model.disableAdapter(() => logitsOf(model)), referenceOf('base'), 1e-4, 'disabled')
      const again = await temporaryFolder(context)
      await model.savePretrained(again)
      const file = 'adapter_model.safetensors'
      const { tensors } = decodeSafetensors(await readFile(join(again, file)), file)
      assert.deepEqual(tensors, readReferences(folder, name, file))
      assertClose(await logitsOf(await PeftModel.fromPretrained(base, again)), referenceOf(name), 1e-4, 'saved again')
      await model.unload()
      assertClose(await logitsOf(base), referenceOf('base'), 1e-4, 'unloaded')
    })
  }

  for (const [name, rate, config] of runs) {
    it(`learns in twenty steps of ${name} what PEFT learns`, async context => {
      const run = readReferences(folder, `${name}.safetensors`)
      const model = await getPeftModel(base, config)
      await followRun(model, run, rate, async inputs => {
        const { ids, mask, labels } = inputs as Record<string, Tensor<'int64'>>
        return (await model.forward({ inputIds: ids!, attentionMask: mask!, labels: labels! }, { training: true })).loss
      })
      const saved = await temporaryFolder(context)
      await model.savePretrained(saved)
      const fields = JSON.parse(await readFile(join(saved, 'adapter_config.json'), 'utf8'))
      assert.ok(both.every(each => fields.target_modules.includes(each)))
      if (name === 'adalora') assert.deepEqual(fields.rank_pattern, rankPattern(run))
      const trained = await logitsOf(model)
      assertClose(await logitsOf(await PeftModel.fromPretrained(base, saved)), trained, 1e-5, 'logits after loading')
    })

    it(`gives for ${name} the gradients that differences of the loss give`, async () => {
      const model = await PeftModel.fromPretrained(base, referencePath(folder, name), { isTrainable: true })
      const ids = [[5, 9, 33, 12, 7, 40]]
      const loss = async () => (await model.forward({ inputIds: ids, labels: ids })).loss
      const parameters = model.parameters().filter(each => each.name.includes('project_'))
      assert.equal(parameters.length, { 'all-linear': 4, ia3: 2, adalora: 6 }[name])
      await (await loss()).backward()
      for (const { name: tensor, data, grad } of parameters) {
        // along the gradient, where the loss changes most against its own rounding
        const gradient = Float32Array.from(grad!)
        const length = Math.hypot(...gradient)
        const begun = data.slice()
        const along = async (distance: number) => {
          for (const [index, value] of begun.entries()) data[index] = value + (distance * gradient[index]!) / length
          return (await loss()).value
        }
        // far enough from the rounding of the loss
        const step = Math.min(5e-2, 4e-4 / length)
        const slope = ((await along(step)) - (await along(-step))) / (2 * step)
        data.set(begun)
        assert.ok(length > 1e-3, `${tensor}: a gradient of ${length}`)
        assert.ok(Math.abs(slope / length - 1) < 1e-2, `${tensor}: slope ${slope}, gradient ${length}`)
      }
    })
  }

  it('generates what its own logits say', async () => {
    const model = await PeftModel.fromPretrained(base, referencePath(folder, 'all-linear'))
    const prompt = [5, 9, 33, 12, 7]
    const [row] = await model.generate([prompt], { maxNewTokens: 5, eosTokenIds: [] })
    const { logits } = await model.forward({ inputIds: [row!] })
    const vocabulary = logits.shape[2]!
    for (let at = prompt.length - 1; at < row!.length - 1; at++) {
      const scores = logits.data.subarray(at * vocabulary, (at + 1) * vocabulary)
      assert.equal(scores.indexOf(Math.max(...scores)), row![at + 1], `position ${at}`)
    }
  })

  for (const name of ['all-linear', 'ia3']) {
    it(`'${name}' merged into the model gives PEFT's logits`, async context => {
      const merged = join(await temporaryFolder(context), 'merged')
      await exportMerged(await openCheckpoint(path), referencePath(folder, name), merged, { dtype: 'float32' })
      await using other = await startSwarm([[0, 2]], { path: merged })
      await using model = await other.connect()
      assertClose(await logitsOf(model), referenceOf(name), 1e-4, 'logits')
    })
  }

  it('gives what PEFT gives in the other tasks', async () => {
    const others = readReferences(folder, 'others.safetensors')
    const input = { inputIds: others.ids as Tensor<'int64'> }
    const options = { initialPeers: swarm.join, home: null }
    await using features = await AutoDistributedModel.fromPretrained(path, options)
    const encoder = await PeftModel.fromPretrained(features, referencePath(folder, 'features'))
    const { lastHiddenState } = await encoder.forward(input)
    assertClose([...lastHiddenState.data], [...(others.features as Float32Tensor).data], 1e-4, 'features')
    await using classes = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
      ...options,
      numLabels: 3
    })
    const classifier = await PeftModel.fromPretrained(classes, referencePath(folder, 'seq-cls'))
    const { logits } = await classifier.forward(input)
    assertClose([...logits.data], [...(others['seq-cls'] as Float32Tensor).data], 1e-4, 'classes')
  })

  it('gives what PEFT gives where a norm comes before project_out', async () => {
    const others = readReferences(folder, 'others.safetensors')
    await using other = await startSwarm([[0, 2]], { path: referencePath(folder, 'norm-first-base') })
    await using model = await other.connect()
    const adapted = await PeftModel.fromPretrained(model, referencePath(folder, 'norm-first'))
    const { logits } = await adapted.forward({ inputIds: others.ids as Tensor<'int64'> })
    assertClose([...logits.data], [...(others['norm-first'] as Float32Tensor).data], 1e-4, 'logits')
  })

  it('refuses to train with dropout on them, and computes with such an adapter otherwise', async () => {
    const message =
      /loraDropout: found 0.1, expected 0 to train adapters of model.decoder.project_in, .*project_out.*exclude_modules: project_in, project_out/
    const config = { peftType: 'LORA', loraDropout: 0.1, ...allLinear } as const
    await assert.rejects(getPeftModel(base, config), { code: 'UNSUPPORTED', message })
    const without = await getPeftModel(base, { ...config, excludeModules: both })
    assert.ok(without.parameters().every(({ name }) => !name.includes('project_')))
    const model = await PeftModel.fromPretrained(base, referencePath(folder, 'projections'), { isTrainable: true })
    await assert.rejects(model.forward({ inputIds: [[5, 9]], labels: [[5, 9]] }, { training: true }), { message })
    assert.ok(Number.isFinite((await model.forward({ inputIds: [[5, 9]], labels: [[5, 9]] })).loss.value))
  })

  it('leaves a projection that is trained whole to modulesToSave, and names those there are in errors', async () => {
    const lora = { peftType: 'LORA', targetModules: ['project_in'] } as const
    await assert.rejects(getPeftModel(base, { ...lora, modulesToSave: ['project_in'] }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(getPeftModel(base, { ...lora, targetModules: ['project'] }), {
      message:
        /no module matches 'project'.*outside the blocks there are model.decoder.project_in, model.decoder.project_out/
    })
  })
})
