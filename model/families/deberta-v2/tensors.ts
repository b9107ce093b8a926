// Names and shapes of DeBERTa's checkpoint tensors.
import type { ExpectedTensor, LinearModule } from '../../family.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import type { DebertaConfig } from './config.ts'

/** What names of the body's tensors begin with. */
export const path = 'deberta'

export const debertaWordMatrix = `${path}.embeddings.word_embeddings.weight`
export const positionMatrix = `${path}.embeddings.position_embeddings.weight`
export const tokenTypeMatrix = `${path}.embeddings.token_type_embeddings.weight`
export const embeddingNorm = `${path}.embeddings.LayerNorm`
export const projection = `${path}.embeddings.embed_proj`

/** Of distances, which all blocks share. */
export const distanceTable = `${path}.encoder.rel_embeddings.weight`
export const distanceNorm = `${path}.encoder.LayerNorm`

export function linearModules({ hiddenSize, intermediateSize, traits }: DebertaConfig): readonly LinearModule[] {
  const { kinds, sharesKeys, distances } = traits
  const own =
    distances === null || sharesKeys ? [] : kinds.map(kind => (kind === 'c2p' ? 'pos_key_proj' : 'pos_query_proj'))
  const square = [...['query_proj', 'key_proj', 'value_proj', ...own].map(name => `self.${name}`), 'output.dense']
  return [
    ...square.map(name => ({ name: `attention.${name}`, inFeatures: hiddenSize, outFeatures: hiddenSize })),
    { name: 'intermediate.dense', inFeatures: hiddenSize, outFeatures: intermediateSize },
    { name: 'output.dense', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

export function distanceTensors({ hiddenSize, traits }: DebertaConfig): readonly ExpectedTensor[] {
  const { distances, normsTable } = traits
  return [
    ...(distances === null ? [] : [{ name: distanceTable, shape: [2 * distances.span, hiddenSize] }]),
    ...(normsTable ? layerNormTensors([distanceNorm], hiddenSize) : [])
  ]
}

export const isNarrow = ({ hiddenSize, traits }: DebertaConfig): boolean => traits.embeddingWidth !== hiddenSize

export function debertaClientTensors(config: DebertaConfig): readonly ExpectedTensor[] {
  const { hiddenSize, maxPositions, traits } = config
  const { embeddingWidth: width, placesInput, tokenTypes } = traits
  return [
    ...(placesInput ? [{ name: positionMatrix, shape: [maxPositions, width] }] : []),
    ...(tokenTypes > 0 ? [{ name: tokenTypeMatrix, shape: [tokenTypes, width] }] : []),
    ...(isNarrow(config) ? [{ name: `${projection}.weight`, shape: [hiddenSize, width] }] : []),
    ...layerNormTensors([embeddingNorm], hiddenSize)
  ]
}
