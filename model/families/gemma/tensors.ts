// Names and shapes of Gemma's checkpoint tensors.

import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import { rmsNormTensors } from '../../layers/norms.ts'
import type { GemmaConfig } from './config.ts'

export function gemmaLinearModules(config: GemmaConfig): readonly LinearModule[] {
  const { hiddenSize, intermediateSize, headDim } = config
  const queries = config.numHeads * headDim
  const keys = config.numKeyValueHeads * headDim
  return [
    { name: 'self_attn.q_proj', inFeatures: hiddenSize, outFeatures: queries },
    { name: 'self_attn.k_proj', inFeatures: hiddenSize, outFeatures: keys },
    { name: 'self_attn.v_proj', inFeatures: hiddenSize, outFeatures: keys, sensitive: true },
    { name: 'self_attn.o_proj', inFeatures: queries, outFeatures: hiddenSize },
    { name: 'mlp.gate_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.up_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.down_proj', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function gemmaNormTensors({ hiddenSize, headDim, traits }: GemmaConfig): readonly ExpectedTensor[] {
  const around = ['input_layernorm', 'post_attention_layernorm']
  const outer = traits.outerNorms ? ['pre_feedforward_layernorm', 'post_feedforward_layernorm'] : []
  const perHead = traits.headNorms ? ['self_attn.q_norm', 'self_attn.k_norm'] : []
  return [...rmsNormTensors([...around, ...outer], hiddenSize), ...rmsNormTensors(perHead, headDim)]
}

export function gemmaClientTensorNames({ tiedEmbeddings }: GemmaConfig): ClientTensorNames {
  const embedding = 'model.embed_tokens.weight'
  return { embedding, norm: 'model.norm.weight', head: tiedEmbeddings ? embedding : 'lm_head.weight' }
}
