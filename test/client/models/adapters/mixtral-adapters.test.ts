// LoRA of Mixtral's router and experts, which PEFT keeps as parameters: loaded, trained and saved as PEFT does it
// (scripts/reference/mixtral_adapters.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type DistributedModelForCausalLM, getPeftModel, PeftModel } from '../../../../client/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { followRun, readReferences } from './follow-run.ts'

const folder = 'mixtral-adapters'
const lora = { peftType: 'LORA', r: 2, loraAlpha: 6, targetModules: 'all-linear' } as const

describe("LoRA of Mixtral's router and experts", () => {
  let swarm: TestSwarm
  let base: DistributedModelForCausalLM
  before(async () => {
    swarm = await startSwarm(
      [
        [0, 1],
        [1, 2]
      ],
      { path: referencePath('families/mixtral') }
    )
    base = await swarm.connect()
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  const expected = readReferences(folder, 'logits.safetensors')
  const mask = expected.mask as Tensor<'int64'>

  /** Logits of every position that is not padding. */
  async function logitsOf(model: Pick<DistributedModelForCausalLM, 'forward'>): Promise<number[]> {
    const { logits } = await model.forward({ inputIds: expected.ids as Tensor<'int64'>, attentionMask: mask })
    const width = logits.shape.at(-1)!
    return [...logits.data].filter((_, index) => mask.data[Math.floor(index / width)] === 1n)
  }

  function referenceOf(name: string): number[] {
    const { data, shape } = expected[`${name}.logits`] as Float32Tensor
    return [...data].filter((_, index) => mask.data[Math.floor(index / shape.at(-1)!)] === 1n)
  }

  for (const name of ['all-linear', 'router', 'experts', 'down', 'modules']) {
    it(`'${name}' as PEFT saved it gives PEFT's logits, saved again too`, async context => {
      const model = await PeftModel.fromPretrained(base, referencePath(folder, name))
      assertClose(await logitsOf(model), referenceOf(name), 1e-4, 'logits')
      const again = await temporaryFolder(context)
      await model.savePretrained(again)
      if (name !== 'modules') {
        const file = 'adapter_model.safetensors'
        const { tensors } = decodeSafetensors(await readFile(join(again, file)), file)
        assert.deepEqual(tensors, readReferences(folder, name, file))
        const fieldsOf = async (of: string) => JSON.parse(await readFile(join(of, 'adapter_config.json'), 'utf8'))
        const [ours, theirs] = [await fieldsOf(again), await fieldsOf(referencePath(folder, name))]
        for (const key of ['target_modules', 'target_parameters']) {
          assert.deepEqual(new Set(ours[key]), new Set(theirs[key]), key)
        }
        for (const key of ['rank_pattern', 'alpha_pattern', 'r', 'lora_alpha', 'fan_in_fan_out']) {
          assert.deepEqual(ours[key], theirs[key], key)
        }
      }
      assertClose(await logitsOf(await PeftModel.fromPretrained(base, again)), referenceOf(name), 1e-4, 'saved again')
    })
  }

  it('learns in twenty steps of all-linear what PEFT learns', async () => {
    const model = await getPeftModel(base, lora)
    await followRun(model, readReferences(folder, 'run.safetensors'), 5e-3, async inputs => {
      const { ids, mask, labels } = inputs as Record<string, Tensor<'int64'>>
      return (await model.forward({ inputIds: ids!, attentionMask: mask!, labels: labels! }, { training: true })).loss
    })
  })

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

  it('that cannot be as PEFT has it is refused', async () => {
    const plain = { peftType: 'LORA', r: 2 } as const
    const cases = [
      [
        { ...lora, loraDropout: 0.1 },
        /loraDropout: expected 0 where targetParameters are adapted, as in PEFT, found 0.1/
      ],
      [{ ...plain, targetModules: ['q_proj', 'w1'] }, /w1 needs w3 beside it: they are one parameter, gate_up_proj/],
      [
        { ...plain, targetModules: String.raw`.*\.(q_proj|w2)` },
        /matches the router or experts \(model.layers.0.*w2\): name them in targetParameters/
      ],
      [
        { ...plain, targetParameters: ['up_proj'] },
        /no parameter is called 'up_proj' \(there are gate.weight, gate_up_proj, down_proj\)/
      ],
      [{ ...plain, targetModules: [] }, /targetModules: expected names of modules, found none/]
    ] as const
    for (const [config, message] of cases) await assert.rejects(getPeftModel(base, config), { message })
  })
})
