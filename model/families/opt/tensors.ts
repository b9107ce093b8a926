// Names and shapes of OPT's checkpoint tensors.

import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { type OptConfig, optAttention } from './config.ts'

/** Rows of the position matrix before that of position 0. */
export const positionOffset = 2

/** What names of the client's tensors begin with. */
export const decoder = 'model.decoder'

export function optLinearModules({ hiddenSize, intermediateSize }: OptConfig): readonly LinearModule[] {
  return [
    ...optAttention.map(name => ({
      name,
      inFeatures: hiddenSize,
      outFeatures: hiddenSize,
      sensitive: name === 'self_attn.v_proj'
    })),
    { name: 'fc1', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'fc2', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function optClientTensorNames({ tiedEmbeddings, traits }: OptConfig): ClientTensorNames {
  const embedding = `${decoder}.embed_tokens.weight`
  return {
    embedding,
    norm: traits.finalNorm ? `${decoder}.final_layer_norm.weight` : null,
    head: tiedEmbeddings ? embedding : 'lm_head.weight'
  }
}

/** From embeddings to hidden states and back, where embeddings are narrower. */
export function optProjections({ hiddenSize, traits: { embeddingWidth } }: OptConfig): readonly LinearModule[] {
  if (embeddingWidth === hiddenSize) return []
  return [
    { name: `${decoder}.project_in`, inFeatures: embeddingWidth, outFeatures: hiddenSize },
    { name: `${decoder}.project_out`, inFeatures: hiddenSize, outFeatures: embeddingWidth }
  ]
}

export function clientTensors(config: OptConfig): readonly ExpectedTensor[] {
  const { hiddenSize, maxPositions, traits } = config
  const { finalNorm } = traits
  return [
    { name: `${decoder}.embed_positions.weight`, shape: [maxPositions + positionOffset, hiddenSize] },
    ...optProjections(config).map(({ name, inFeatures, outFeatures }) => ({
      name: `${name}.weight`,
      shape: [outFeatures, inFeatures]
    })),
    ...(finalNorm ? layerNormTensors([`${decoder}.final_layer_norm`], hiddenSize) : [])
  ]
}
