// Names and shapes of BART's checkpoint tensors.

import { type Stack, stackOf } from '../../config/config.ts'
import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import type { BartConfig } from './config.ts'

/** Rows of the position matrix before that of position 0. */
export const bartPositionOffset = 2

const bartEmbedding = 'model.shared.weight'

/** A number for each token, added to its score. */
export const logitsBias = 'final_logits_bias'

/** What names of a stack's tensors begin with. */
export const stackPath = (stack: Stack['name']): string => `model.${stack}`

export function bartBlockPath(block: number, config: BartConfig): string {
  const { name, blocks } = stackOf(config, block)
  return `${stackPath(name)}.layers.${block - blocks.first}`
}

export function bartLinearModules(config: BartConfig, block: number): readonly LinearModule[] {
  const { hiddenSize, traits } = config
  const { name, crosses } = stackOf(config, block)
  const inner = traits.inner[name]
  const attention = (path: string, fromEncoder: boolean): LinearModule[] =>
    ['k_proj', 'v_proj', 'q_proj', 'out_proj'].map(part => ({
      name: `${path}.${part}`,
      inFeatures: hiddenSize,
      outFeatures: hiddenSize,
      sensitive: part === 'v_proj',
      fromEncoder: fromEncoder && (part === 'k_proj' || part === 'v_proj')
    }))
  return [
    ...attention('self_attn', false),
    ...(crosses ? attention('encoder_attn', true) : []),
    { name: 'fc1', inFeatures: hiddenSize, outFeatures: inner },
    { name: 'fc2', inFeatures: inner, outFeatures: hiddenSize }
  ]
}

export function bartNormTensors(config: BartConfig, block: number): readonly ExpectedTensor[] {
  const cross = stackOf(config, block).crosses ? ['encoder_attn_layer_norm'] : []
  return layerNormTensors(['self_attn_layer_norm', ...cross, 'final_layer_norm'], config.hiddenSize)
}

export function bartClientTensorNames({ tiedEmbeddings, traits }: BartConfig): ClientTensorNames {
  return {
    embedding: bartEmbedding,
    norm: traits.normFirst ? `${stackPath('decoder')}.layer_norm.weight` : null,
    head: tiedEmbeddings ? bartEmbedding : 'lm_head.weight'
  }
}

export function bartClientTensors({ hiddenSize, maxPositions, vocabSize, stacks, traits }: BartConfig) {
  return [
    ...stacks.flatMap(({ name }): readonly ExpectedTensor[] => [
      { name: `${stackPath(name)}.embed_positions.weight`, shape: [maxPositions + bartPositionOffset, hiddenSize] },
      ...layerNormTensors(
        ['layernorm_embedding', ...(traits.normFirst ? ['layer_norm'] : [])].map(norm => `${stackPath(name)}.${norm}`),
        hiddenSize
      )
    ]),
    ...(traits.logitsBias ? [{ name: logitsBias, shape: [1, vocabSize] }] : [])
  ]
}

/** Names under which files may hold the embedding too. */
export function bartAliases({ stacks }: BartConfig): Readonly<Record<string, string>> {
  return Object.fromEntries(stacks.map(({ name }) => [`${stackPath(name)}.embed_tokens.weight`, bartEmbedding]))
}
