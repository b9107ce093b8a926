// Adapters that swarmtune made, for PEFT to load: each is trained for some steps, saved, and its logits written beside it.
//   node scripts/reference/write-adapters.ts <folder>      then: python scripts/reference/check_adapter.py <folder>/*
import { join } from 'node:path'
import { getPeftModel, type PeftConfig, train } from '../../client/index.ts'
import { int64 } from '../../common/tensor.ts'
import { writeSafetensors } from '../../model/formats/safetensors/file.ts'
import { startBases } from '../../testing/peft-bases.ts'

const configs: Record<string, PeftConfig> = {
  lora: { peftType: 'LORA', r: 4, loraAlpha: 10, loraDropout: 0.1 },
  'lora-names': {
    peftType: 'LORA',
    r: 3,
    loraAlpha: 5,
    useRslora: true,
    targetModules: ['mlp.up_proj'],
    layersToTransform: [1]
  },
  'lora-all-linear': { peftType: 'LORA', r: 2, targetModules: 'all-linear', initLoraWeights: 'gaussian' },
  'lora-regex': { peftType: 'LORA', targetModules: String.raw`model\.layers\.[02]\.self_attn\.(k|o)_proj` },
  'lora-patterns': {
    peftType: 'LORA',
    r: 3,
    targetModules: ['q_proj', 'v_proj', 'up_proj'],
    excludeModules: ['layers.1.self_attn.q_proj'],
    layersToTransform: [1, 2],
    layersPattern: 'layers',
    rankPattern: { up_proj: 5 },
    alphaPattern: { v_proj: 20 }
  },
  'lora-bias-all': { peftType: 'LORA', r: 2, bias: 'all', targetModules: ['q_proj', 'up_proj'] },
  'lora-bias-only': { peftType: 'LORA', r: 2, bias: 'lora_only', targetModules: ['q_proj', 'up_proj'] },
  'lora-modules': {
    peftType: 'LORA',
    r: 2,
    targetModules: ['q_proj'],
    modulesToSave: ['embed_tokens', 'model.norm', 'lm_head']
  },
  'ia3-tied-embedding': { peftType: 'IA3', modulesToSave: ['embed_tokens'] },
  'adalora-tied-head': { peftType: 'ADALORA', totalStep: 10, modulesToSave: ['lm_head'] },
  ia3: { peftType: 'IA3' },
  'ia3-all-linear': {
    peftType: 'IA3',
    targetModules: 'all-linear',
    feedforwardModules: ['o_proj', 'down_proj'],
    initIa3Weights: false
  },
  prompt: { peftType: 'PROMPT_TUNING', numVirtualTokens: 5 },
  'prompt-modules': { peftType: 'PROMPT_TUNING', numVirtualTokens: 5, modulesToSave: ['lm_head'] },
  prefix: { peftType: 'PREFIX_TUNING', numVirtualTokens: 5 },
  'prefix-projection': {
    peftType: 'PREFIX_TUNING',
    numVirtualTokens: 3,
    prefixProjection: true,
    encoderHiddenSize: 20
  },
  adalora: {
    peftType: 'ADALORA',
    initR: 4,
    targetR: 2,
    totalStep: 10,
    tinit: 2,
    tfinal: 2,
    targetModules: 'all-linear'
  },
  'p-tuning': { peftType: 'P_TUNING', numVirtualTokens: 5 },
  'p-tuning-lstm': {
    peftType: 'P_TUNING',
    numVirtualTokens: 3,
    encoderReparameterizationType: 'LSTM',
    encoderHiddenSize: 10,
    encoderDropout: 0.1
  }
}

const rows = [
  [3, 4, 5, 6, 7, 8, 9],
  [60, 9, 33, 12, 4, 4, 20]
]

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: write-adapters.ts <folder>')
await using bases = await startBases([[0, 3]])
for (const [name, config] of Object.entries(configs)) {
  const model = await getPeftModel(bases.of(name), config, { seed: 1 })
  const examples = rows.map(ids => ({ ids, labels: [-100, ...ids.slice(1)] }))
  let loss = Number.NaN
  for await (const progress of train(model, examples, { maxSteps: 10, learningRate: 0.02, padTokenId: 0 }))
    loss = progress.loss
  const { logits } = await model.eval().forward({ inputIds: rows })
  const path = join(folder, name)
  await model.savePretrained(path)
  const ids = int64([rows.length, rows[0]!.length], rows.flat())
  await writeSafetensors(join(path, 'logits.safetensors'), { ids, logits })
  console.log(`${path}: loss ${loss.toFixed(4)} after 10 steps`)
}
