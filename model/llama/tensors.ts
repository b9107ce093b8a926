// Names and shapes of the Llama family's checkpoint tensors.
import type { ModelConfig } from '../config.ts'
import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../family.ts'
import type { ModuleName } from './config.ts'

/** The linear modules of a block, all of which an adapter may change. */
export function linearModules(config: ModelConfig): readonly (LinearModule & { readonly name: ModuleName })[] {
  const { hiddenSize, intermediateSize, headDim } = config
  const queries = config.numHeads * headDim
  const keys = config.numKeyValueHeads * headDim
  return [
    { name: 'self_attn.q_proj', inFeatures: hiddenSize, outFeatures: queries },
    { name: 'self_attn.k_proj', inFeatures: hiddenSize, outFeatures: keys },
    { name: 'self_attn.v_proj', inFeatures: hiddenSize, outFeatures: keys },
    { name: 'self_attn.o_proj', inFeatures: queries, outFeatures: hiddenSize },
    { name: 'mlp.gate_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.up_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.down_proj', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

/** `model.layers.3.self_attn.q_proj` */
export function moduleWeightName(block: number, module: string): string {
  return `model.layers.${block}.${module}`
}

/** The two norms of a block, before attention and before the MLP. */
export const blockNorms = ['input_layernorm', 'post_attention_layernorm'] as const

export function blockTensors(config: ModelConfig, block: number): ExpectedTensor[] {
  const norms = blockNorms.map(norm => ({
    name: `${moduleWeightName(block, norm)}.weight`,
    shape: [config.hiddenSize]
  }))
  const linears = linearModules(config).flatMap(({ name, inFeatures, outFeatures }) => {
    const path = moduleWeightName(block, name)
    const weight = { name: `${path}.weight`, shape: [outFeatures, inFeatures] }
    const bias = { name: `${path}.bias`, shape: [outFeatures] }
    return config.biasedModules.includes(name) ? [weight, bias] : [weight]
  })
  return [...norms, ...linears]
}

export function clientTensorNames(config: ModelConfig): ClientTensorNames {
  const embedding = 'model.embed_tokens.weight'
  return { embedding, norm: 'model.norm.weight', head: config.tiedEmbeddings ? embedding : 'lm_head.weight' }
}

export function clientTensors(config: ModelConfig): ExpectedTensor[] {
  const { embedding, norm, head } = clientTensorNames(config)
  const matrix = [config.vocabSize, config.hiddenSize]
  const tensors = [
    { name: embedding, shape: matrix },
    { name: norm, shape: [config.hiddenSize] }
  ]
  return head === embedding ? tensors : [...tensors, { name: head, shape: matrix }]
}
