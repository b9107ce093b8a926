// Names and shapes of Falcon's checkpoint tensors.

import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import type { FalconConfig, FalconNorms } from './config.ts'

const norms = {
  shared: ['input_layernorm'],
  separate: ['ln_attn', 'ln_mlp'],
  sequential: ['input_layernorm', 'post_attention_layernorm']
} as const satisfies Record<FalconNorms, readonly string[]>

export function falconLinearModules(config: FalconConfig): readonly LinearModule[] {
  const { hiddenSize, intermediateSize, numHeads, numKeyValueHeads, headDim } = config
  const fused = (numHeads + 2 * numKeyValueHeads) * headDim
  return [
    { name: 'self_attention.query_key_value', inFeatures: hiddenSize, outFeatures: fused },
    { name: 'self_attention.dense', inFeatures: hiddenSize, outFeatures: hiddenSize },
    { name: 'mlp.dense_h_to_4h', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.dense_4h_to_h', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function falconNormTensors({ hiddenSize, traits }: FalconConfig): readonly ExpectedTensor[] {
  return layerNormTensors(norms[traits.norms], hiddenSize)
}

export function falconClientTensorNames({ tiedEmbeddings }: FalconConfig): ClientTensorNames {
  const embedding = 'transformer.word_embeddings.weight'
  return { embedding, norm: 'transformer.ln_f.weight', head: tiedEmbeddings ? embedding : 'lm_head.weight' }
}
