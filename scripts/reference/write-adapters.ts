// Adapters that swarmtune made, for PEFT to load: each is trained for some steps, saved, and its logits written beside it.
//   node scripts/reference/write-adapters.ts <folder>      then: python scripts/reference/check_adapter.py <folder>/*
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { train } from '../../client/train/index.ts'
import { createTuning, type PeftConfig, saveAdapter } from '../../client/tuning/index.ts'
import { int64 } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { writeSafetensors } from '../../model/safetensors-file.ts'
import { tuningTarget } from '../../test/client/support.ts'
import { baseOf } from '../../test/client/tuning-runs.ts'
import { LocalBlocks } from '../../test/helpers/local-blocks.ts'
import { createLocalModel } from '../../test/helpers/local-model.ts'

const root = join(import.meta.dirname, '../..')

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
  ia3: { peftType: 'IA3' },
  'ia3-all-linear': {
    peftType: 'IA3',
    targetModules: 'all-linear',
    feedforwardModules: ['o_proj', 'down_proj'],
    initIa3Weights: false
  },
  prompt: { peftType: 'PROMPT_TUNING', numVirtualTokens: 5 },
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
for (const [name, config] of Object.entries(configs)) {
  const baseModel = join(root, 'test/reference', baseOf(name))
  const checkpoint = await openCheckpoint(baseModel)
  const target = await tuningTarget(checkpoint)
  await using blocks = new LocalBlocks(checkpoint)
  const method = await createTuning(config, target, { seed: 1 })
  await using model = await createLocalModel(checkpoint, blocks, method)
  const examples = rows.map(ids => ({ ids, labels: [-100, ...ids.slice(1)] }))
  let loss = Number.NaN
  for await (const progress of train(model, examples, { maxSteps: 10, learningRate: 0.02, padTokenId: 0 }))
    loss = progress.loss
  const inputIds = int64([rows.length, rows[0]!.length], rows.flat())
  const attentionMask = int64(
    inputIds.shape,
    rows.flat().map(() => 1)
  )
  const logits = await model.logits({ inputIds, attentionMask, labels: inputIds })
  const path = join(folder, name)
  await mkdir(path, { recursive: true })
  await saveAdapter(method, path, { baseModel })
  await writeSafetensors(join(path, 'logits.safetensors'), { ids: inputIds, logits })
  console.log(`${path}: loss ${loss.toFixed(4)} after 10 steps`)
}
