// Names and shapes of GPT-NeoX's checkpoint tensors.
import type { ClientTensorNames, LinearModule } from '../../family.ts'
import type { GptNeoXConfig } from './config.ts'

export function gptNeoxLinearModules({ hiddenSize, intermediateSize }: GptNeoXConfig): readonly LinearModule[] {
  return [
    { name: 'attention.query_key_value', inFeatures: hiddenSize, outFeatures: 3 * hiddenSize },
    { name: 'attention.dense', inFeatures: hiddenSize, outFeatures: hiddenSize },
    { name: 'mlp.dense_h_to_4h', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.dense_4h_to_h', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function gptNeoxClientTensorNames({ tiedEmbeddings }: GptNeoXConfig): ClientTensorNames {
  const embedding = 'gpt_neox.embed_in.weight'
  return { embedding, norm: 'gpt_neox.final_layer_norm.weight', head: tiedEmbeddings ? embedding : 'embed_out.weight' }
}
