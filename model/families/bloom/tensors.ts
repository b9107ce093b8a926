// Names and shapes of BLOOM's checkpoint tensors.
import type { ClientTensorNames, LinearModule } from '../../family.ts'
import type { BloomConfig } from './config.ts'

export function bloomLinearModules({ hiddenSize, intermediateSize }: BloomConfig): readonly LinearModule[] {
  return [
    { name: 'self_attention.query_key_value', inFeatures: hiddenSize, outFeatures: 3 * hiddenSize },
    { name: 'self_attention.dense', inFeatures: hiddenSize, outFeatures: hiddenSize },
    { name: 'mlp.dense_h_to_4h', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'mlp.dense_4h_to_h', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function bloomClientTensorNames({ tiedEmbeddings }: BloomConfig): ClientTensorNames {
  const embedding = 'transformer.word_embeddings.weight'
  return { embedding, norm: 'transformer.ln_f.weight', head: tiedEmbeddings ? embedding : 'lm_head.weight' }
}
