// Names and shapes of the Llama family's checkpoint tensors.
import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import type { LlamaConfig, ModuleName } from './config.ts'

type Named = LinearModule & { readonly name: ModuleName }

/** The linear modules of attention. */
export function attentionModulesOf(config: LlamaConfig): readonly Named[] {
  const { hiddenSize, headDim } = config
  const queries = config.numHeads * headDim
  const keys = config.numKeyValueHeads * headDim
  return [
    { name: 'self_attn.q_proj', inFeatures: hiddenSize, outFeatures: queries },
    { name: 'self_attn.k_proj', inFeatures: hiddenSize, outFeatures: keys },
    { name: 'self_attn.v_proj', inFeatures: hiddenSize, outFeatures: keys, sensitive: true },
    { name: 'self_attn.o_proj', inFeatures: queries, outFeatures: hiddenSize }
  ]
}

/** The linear modules of a block; an adapter may change all of them. */
export function llamaLinearModules(config: LlamaConfig): readonly Named[] {
  const { hiddenSize, intermediateSize } = config
  return [
    ...attentionModulesOf(config),
    { name: 'mlp.gate_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.up_proj', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.down_proj', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

/** The norms of a block, by their path in it. */
export function llamaNormTensors({ hiddenSize, headDim, traits }: LlamaConfig): readonly ExpectedTensor[] {
  const norms = ['input_layernorm', 'post_attention_layernorm'].map(name => ({
    name: `${name}.weight`,
    shape: [hiddenSize]
  }))
  const headNorms = ['self_attn.q_norm', 'self_attn.k_norm'].map(name => ({ name: `${name}.weight`, shape: [headDim] }))
  return traits.headNorms ? [...norms, ...headNorms] : norms
}

export function llamaClientTensorNames({ tiedEmbeddings }: LlamaConfig): ClientTensorNames {
  const embedding = 'model.embed_tokens.weight'
  return { embedding, norm: 'model.norm.weight', head: tiedEmbeddings ? embedding : 'lm_head.weight' }
}
