// Tensors outside the blocks that an adapter trains, whole modules and biases, for every task: trained, saved, loaded and merged as
// PEFT does it (scripts/reference/own_modules.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { exportMerged } from '../../../../client/export/export.ts'
import {
  AutoDistributedModelForCausalLM,
  getPeftModel,
  type PeftConfig,
  PeftModel,
  type PretrainedOptions
} from '../../../../client/index.ts'
import type { Tensor } from '../../../../common/tensor.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm } from '../../../../testing/swarm.ts'
import { followRun, readReferences } from './follow-run.ts'
import { tasks } from './tasks.ts'

type Inputs = Readonly<Record<string, Tensor>>

const openers = {
  ...tasks,
  'causal-lm': async (path: string, options: PretrainedOptions, config: PeftConfig) => {
    const model = await getPeftModel(await AutoDistributedModelForCausalLM.fromPretrained(path, options), config)
    const lossOf = async ({ ids, mask, labels }: Inputs) => {
      const input = { inputIds: ids, attentionMask: mask, labels } as Record<string, Tensor<'int64'>>
      return (await model.forward(input as never, { training: true })).loss
    }
    return { model, lossOf }
  }
}

const lora = { peftType: 'LORA', r: 2 } as const
const cases: readonly (readonly [name: string, base: string, task: keyof typeof openers, config: PeftConfig])[] = [
  ['gpt2-bias-all', 'families/gpt2', 'causal-lm', { ...lora, bias: 'all', targetModules: ['c_attn'] }],
  ['bloom-bias-all', 'families/bloom', 'causal-lm', { ...lora, bias: 'all', targetModules: ['query_key_value'] }],
  [
    'tied-embedding',
    'adapters/tied',
    'causal-lm',
    { ...lora, targetModules: ['q_proj'], modulesToSave: ['embed_tokens'] }
  ],
  [
    'seq-cls-modules',
    'adapters/base',
    'seq-cls',
    { ...lora, targetModules: ['q_proj'], modulesToSave: ['embed_tokens', 'model.norm'] }
  ],
  [
    'token-cls-modules',
    'families/gpt2',
    'token-cls',
    { ...lora, bias: 'all', targetModules: ['c_attn'], modulesToSave: ['wpe', 'ln_f'] }
  ],
  [
    'features-modules',
    'families/gpt2',
    'features',
    { ...lora, targetModules: ['c_attn'], modulesToSave: ['wte', 'ln_f'] }
  ],
  [
    'prompt-modules',
    'adapters/base',
    'causal-lm',
    { peftType: 'PROMPT_TUNING', numVirtualTokens: 4, modulesToSave: ['lm_head'] }
  ],
  [
    'prefix-modules',
    'adapters/base',
    'causal-lm',
    { peftType: 'PREFIX_TUNING', numVirtualTokens: 3, modulesToSave: ['embed_tokens', 'model.norm'] }
  ]
]

/** Servers of all blocks of a model. */
async function serve(context: TestContext, path: string) {
  const swarm = await startSwarm([[0, (await openCheckpoint(path)).config.numBlocks]], { path })
  context.after(() => swarm[Symbol.asyncDispose]())
  return { initialPeers: swarm.join }
}

type Opened = Awaited<ReturnType<(typeof openers)[keyof typeof openers]>>['model']

const width = 32
const headSize = 8

/** Without rotation a key's bias changes no weight of the attention: its gradient is zero but for rounding, which Adam makes steps of. */
function isKeyBias(name: string, index: number): boolean {
  if (/c_attn\.(base_layer\.)?bias$/.test(name)) return Math.floor(index / width) === 1
  return /query_key_value\.(base_layer\.)?bias$/.test(name) && Math.floor(index / headSize) % 3 === 1
}

/** The part of the classes of models that they share. */
interface Forwards {
  forward(input: never): Promise<{ logits?: Tensor | null; lastHiddenState?: Tensor }>
}

/** Logits, or hidden states, of every position that is not padding. */
async function outputs(model: Forwards, expected: Inputs, name: string): Promise<[number[], number[]]> {
  const mask = expected.mask as Tensor<'int64'>
  const input = { inputIds: expected.ids, attentionMask: mask } as never
  const { logits, lastHiddenState } = await model.forward(input)
  const { data, shape } = (logits ?? lastHiddenState)!
  const width = shape.at(-1)!
  const counts = (_: unknown, index: number) => shape.length === 2 || mask.data[Math.floor(index / width)] === 1n
  return [[...(data as Float32Array)].filter(counts), [...(expected[name]!.data as Float32Array)].filter(counts)]
}

for (const [name, base, task, config] of cases) {
  describe(`'${name}'`, () => {
    const path = referencePath(base)
    const folder = referencePath('own-modules', name)
    const expected = readReferences('own-modules', `${name}.safetensors`)

    it('learns in twenty steps what PEFT learns; the model under it stays as it was', async context => {
      const { model, lossOf } = await openers[task](path, await serve(context as TestContext, path), config)
      try {
        const before = new Map([...model.base.parts.parameters].map(([key, { data }]) => [key, data.slice()]))
        await followRun(model, expected, 2e-2, lossOf, isKeyBias)
        for (const [key, { data, requiresGrad }] of model.base.parts.parameters) {
          assert.deepEqual([data, requiresGrad], [before.get(key), false], key)
        }
        assert.ok(model.parameters().every(({ grad, requiresGrad }) => grad !== null && requiresGrad))
      } finally {
        await model.close()
      }
    })

    it('as PEFT saved it gives what PEFT gives, and is the same file after saving', async context => {
      const { model: fresh } = await openers[task](path, await serve(context as TestContext, path), config)
      try {
        const model = (await PeftModel.fromPretrained(fresh.base as never, folder)) as Opened
        assertClose(...(await outputs(model, expected, 'logits')), 1e-4, 'logits')
        const again = await temporaryFolder(context as TestContext)
        await model.savePretrained(again)
        const file = 'adapter_model.safetensors'
        const { tensors } = decodeSafetensors(await readFile(join(again, file)), file)
        // with bias 'all' PEFT writes biases of whole modules twice more
        const theirs = Object.entries(readReferences('own-modules', name, file))
        const once = theirs.filter(([key]) => !/\.(original_module|modules_to_save)\./.test(key))
        assert.deepEqual(tensors, Object.fromEntries(once))
        const fieldsOf = async (of: string) => JSON.parse(await readFile(join(of, 'adapter_config.json'), 'utf8'))
        const [ours, original] = [await fieldsOf(again), await fieldsOf(folder)]
        for (const key of ['modules_to_save', 'bias', 'task_type']) assert.deepEqual(ours[key], original[key], key)
      } finally {
        await fresh.close()
      }
    })

    // virtual tokens are no part of a checkpoint
    if (config.peftType !== 'LORA') return

    it('merged into a checkpoint gives what PEFT gives once merged', async context => {
      const merged = join(await temporaryFolder(context as TestContext), 'merged')
      const under = await openCheckpoint(path)
      await exportMerged(under, folder, merged)
      // servers of the one must not be taken for the other's
      assert.notEqual((await openCheckpoint(merged)).identity, under.identity)
      const { model } = await openers[task](merged, await serve(context as TestContext, merged), {
        ...lora,
        targetModules: 'all-linear'
      })
      try {
        assertClose(...(await outputs(model.base as never, expected, 'merged')), 1e-4, 'logits')
      } finally {
        await model.close()
      }
    })
  })
}
