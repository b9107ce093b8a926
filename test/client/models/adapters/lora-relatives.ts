// LoRA's relatives over real servers: twenty steps of each are PEFT's (scripts/reference/lora_relatives.py), adapters of PEFT are loaded,
// ours are saved and merged.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  exportMerged,
  getPeftModel,
  type LoraConfig,
  PeftModel,
  type PeftModelForCausalLM
} from '../../../../client/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { LocalBlocks } from '../../../../testing/local-blocks.ts'
import { createLocalModel } from '../../../../testing/local-model.ts'
import { referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { followRun, readReferences } from './follow-run.ts'

const llama = ['q_proj', 'v_proj', 'down_proj']
const gpt2 = ['c_attn', 'c_proj']

/** Runs of the script, with the settings that it gives them; r is 4 and the scale's numerator 10 where nothing is said. */
const runs: Readonly<Record<string, Omit<LoraConfig, 'peftType'>>> = {
  dora: { targetModules: llama, useDora: true },
  'dora-gpt2': { targetModules: gpt2, useDora: true },
  'dora-rslora': { targetModules: llama, useDora: true, useRslora: true, loraAlpha: 3, rankPattern: { v_proj: 2 } },
  pissa: { targetModules: llama, initLoraWeights: 'pissa', loraAlpha: 6 },
  'pissa-gpt2': { targetModules: gpt2, initLoraWeights: 'pissa' },
  'pissa-dora': { targetModules: llama, initLoraWeights: 'pissa', useDora: true },
  olora: { targetModules: llama, initLoraWeights: 'olora', loraAlpha: 3 },
  mica: { targetModules: llama, initLoraWeights: 'mica' },
  bias: { targetModules: llama, loraBias: true },
  embedding: { targetModules: ['embed_tokens', 'q_proj'] },
  'embedding-dora': { targetModules: ['embed_tokens', 'q_proj'], useDora: true },
  'embedding-tied': { targetModules: ['embed_tokens', 'q_proj'] },
  'embedding-gpt2': { targetModules: ['wte', 'c_attn'] },
  head: { targetModules: ['lm_head', 'q_proj'] },
  'head-dora': { targetModules: ['lm_head', 'q_proj'], useDora: true },
  tokens: { targetModules: ['q_proj'], trainableTokenIndices: [3, 5, 9, 17] },
  'tokens-tied': { targetModules: ['q_proj'], trainableTokenIndices: { embed_tokens: [3, 5, 9, 17] } },
  'bias-biased': { targetModules: ['q_proj', 'up_proj'], loraBias: true, bias: 'lora_only' }
}

const folders: Readonly<Record<string, string>> = {
  gpt2: 'families/gpt2',
  biased: 'adapters/biased',
  tied: 'adapters/tied'
}
const baseOf = (name: string): string => {
  const part = Object.keys(folders).find(each => name.split('-').includes(each))
  return part === undefined ? 'adapters/base' : folders[part]!
}

function greatestDifference(one: Float32Tensor, other: Float32Tensor, mask: Tensor): number {
  assert.deepEqual(one.shape, other.shape)
  const vocabulary = one.shape[2]!
  const differences = one.data.map((value, index) =>
    Number(mask.data[Math.floor(index / vocabulary)]) === 1 ? Math.abs(value - other.data[index]!) : 0
  )
  return Math.max(...differences)
}

/** Those of every default run; the others are in lora-relatives.families.ts. */
export const usual: readonly string[] = [
  'dora-gpt2',
  'pissa-dora',
  'mica',
  'bias-biased',
  'embedding-dora',
  'head',
  'tokens-tied'
]

export const others: readonly string[] = Object.keys(runs).filter(name => !usual.includes(name))

/** Tests of the runs of these names. */
export function describeRelatives(names: readonly string[]): void {
  describe("LoRA's relatives", () => suiteOf(names))
}

function suiteOf(names: readonly string[]): void {
  const swarms = new Map<string, TestSwarm>()
  const models = new Map<string, Awaited<ReturnType<TestSwarm['connect']>>>()
  before(async () => {
    for (const base of new Set(names.map(baseOf))) {
      const path = referencePath(base)
      const blocks = (await openCheckpoint(path)).config.numBlocks
      const swarm = await startSwarm(
        [
          [0, 1],
          [1, blocks]
        ],
        { path }
      )
      swarms.set(base, swarm)
      models.set(base, await swarm.connect())
    }
  })
  after(async () => {
    for (const model of models.values()) await model.close()
    for (const swarm of swarms.values()) await swarm[Symbol.asyncDispose]()
  })

  const inputsOf = (expected: Readonly<Record<string, Tensor>>) => ({
    inputIds: expected['0.ids'] as Tensor<'int64'>,
    attentionMask: expected['0.mask'] as Tensor<'int64'>
  })

  for (const name of names) {
    const given = runs[name]!
    const config: LoraConfig = { peftType: 'LORA', r: 4, loraAlpha: 10, ...given }
    test(`'${name}': learns in twenty steps what PEFT learns, is saved, loaded and merged`, async context => {
      const base = models.get(baseOf(name))!
      const expected = readReferences('lora-relatives', `${name}.safetensors`)
      const model = await getPeftModel(base, config)
      for (const { name: parameter, data, requiresGrad } of model.parameters()) {
        // what stays as it began: the signs of its vectors are PEFT's
        if (!requiresGrad) data.set(expected[`initial.${parameter}`]!.data as Float32Array)
      }
      const trained = { parameters: () => model.parameters().filter(each => each.requiresGrad), afterStep() {} }
      const begun = Object.fromEntries(
        Object.entries(expected).filter(([key]) => {
          const parameter = key.slice('initial.'.length)
          return !key.startsWith('initial.') || trained.parameters().some(each => each.name === parameter)
        })
      )
      await followRun(
        trained,
        begun,
        name === 'embedding-tied' ? 5e-3 : 2e-2,
        async (inputs, step) => {
          const { ids, mask, labels } = inputs as Record<string, Tensor<'int64'>>
          const input = { inputIds: ids!, attentionMask: mask!, labels: labels! }
          return (await model.forward(input, { training: true, seed: step })).loss
          // torch takes the vectors out of the weights in float32
        },
        undefined,
        name.startsWith('pissa') ? 2e-5 : undefined
      )
      const inputs = inputsOf(expected)
      const { logits } = await model.eval().forward(inputs)
      const peft = expected.logits as Float32Tensor
      assert.ok(greatestDifference(logits, peft, inputs.attentionMask) < 1e-2, 'after the steps')

      for (const initialization of ['converted', 'kept'] as const) {
        const folder = await temporaryFolder(context)
        await model.savePretrained(folder, { initialization })
        const loaded = await PeftModel.fromPretrained(base, folder)
        const again = await loaded.forward(inputs)
        assert.ok(greatestDifference(again.logits, logits, inputs.attentionMask) < 1e-4, initialization)
        await loaded.unload()
      }
      await model.unload()
    })

    test(`'${name}': as PEFT saved it gives PEFT's logits, in generation too`, async () => {
      const base = models.get(baseOf(name))!
      const expected = readReferences('lora-relatives', `${name}.safetensors`)
      const inputs = inputsOf(expected)
      for (const form of [
        name,
        ...(name === 'pissa' || name === 'olora' || name === 'pissa-gpt2' ? [`${name}-converted`] : [])
      ]) {
        const model = await PeftModel.fromPretrained(base, referencePath('lora-relatives', form))
        const { logits } = await model.forward(inputs)
        const difference = greatestDifference(logits, expected.logits as Float32Tensor, inputs.attentionMask)
        assert.ok(difference < 1e-4, `${form}: ${difference}`)
        await assertGreedy(model)
        await model.unload()
      }
    })

    test(`'${name}': merged into the weights it is the same model`, async context => {
      const path = referencePath(baseOf(name))
      const expected = readReferences('lora-relatives', `${name}.safetensors`)
      const checkpoint = await openCheckpoint(path)
      const output = join(await temporaryFolder(context), 'merged')
      const merge = () => exportMerged(checkpoint, referencePath('lora-relatives', name), output)
      if (name === 'embedding-tied' || name === 'embedding-gpt2') {
        await assert.rejects(merge(), {
          code: 'UNSUPPORTED',
          message: /as the embedding only, which is both in this model/
        })
        return
      }
      if (name === 'bias') {
        await assert.rejects(merge(), {
          code: 'UNSUPPORTED',
          message: /has no place in the model, whose module has none/
        })
        return
      }
      await merge()
      const merged = await openCheckpoint(output)
      await using blocks = new LocalBlocks(merged)
      if (baseOf(name) === 'families/gpt2') return
      await using model = await createLocalModel(merged, blocks, null)
      const { inputIds, attentionMask } = inputsOf(expected)
      const logits = await model.logits({ inputIds, attentionMask, labels: inputIds })
      const difference = greatestDifference(logits, expected.logits as Float32Tensor, attentionMask)
      assert.ok(difference < 1e-4, String(difference))
    })
  }
}

/** Four greedy tokens are those that the model's own logits say. */
async function assertGreedy(model: PeftModelForCausalLM): Promise<void> {
  const prompt = [5, 9, 33, 12, 7]
  const [row] = await model.generate([prompt], { maxNewTokens: 4, eosTokenIds: [], padTokenId: 0 })
  const { logits } = await model.forward({ inputIds: [row!] })
  const vocabulary = logits.shape[2]!
  for (let position = prompt.length - 1; position < row!.length - 1; position++) {
    const scores = logits.data.subarray(position * vocabulary, (position + 1) * vocabulary)
    assert.equal(scores.indexOf(Math.max(...scores)), row![position + 1], `position ${position}`)
  }
}
