// A model of two blocks with four modules, known by its names and sizes only.
import type { TuningTarget } from '../../../client/tuning/index.ts'
import { float32 } from '../../../common/tensor.ts'

const modules = [
  { name: 'self_attn.q_proj', inFeatures: 64, outFeatures: 64 },
  { name: 'self_attn.v_proj', inFeatures: 64, outFeatures: 16 },
  { name: 'mlp.up_proj', inFeatures: 64, outFeatures: 96 },
  { name: 'mlp.down_proj', inFeatures: 96, outFeatures: 64 }
]

export const target: TuningTarget = {
  modules,
  modulesOf: () => modules,
  numBlocks: 12,
  hiddenSize: 64,
  vocabSize: 10,
  numHeads: 4,
  moduleWeightName: (block, module) => `model.layers.${block}.${module}`,
  /** row `id` is all `id` */
  embedRows: async ids =>
    float32(
      [ids.length, 64],
      ids.flatMap(id => Array.from({ length: 64 }, () => id))
    ),
  tokenizer: { encode: text => [...text].map(Number) }
}
