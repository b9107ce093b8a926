// BLOOM: attention with linear biases, a norm after the embeddings.

import { alibiSlopes } from '../../layers/alibi.ts'
import { decoderHeads } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { defineFamily } from '../define-family.ts'
import { bloomBlock } from './block.ts'
import { parseBloomConfig } from './config.ts'
import { bloomClientTensorNames, bloomLinearModules } from './tensors.ts'

export const bloom = defineFamily({
  modelTypes: ['bloom'],
  parseConfig: parseBloomConfig,
  blockPath: block => `transformer.h.${block}`,
  linearModules: bloomLinearModules,
  defaultTargets: ['query_key_value'],
  biasedModules: config => config.biasedModules,
  otherTensors: ({ hiddenSize }) => layerNormTensors(['input_layernorm', 'post_attention_layernorm'], hiddenSize),
  attention: ({ numHeads }) => ({ alibi: { slopes: alibiSlopes(numHeads) } }),
  block: bloomBlock,
  clientTensorNames: bloomClientTensorNames,
  clientTensors: ({ hiddenSize }) =>
    layerNormTensors(['transformer.word_embeddings_layernorm', 'transformer.ln_f'], hiddenSize),
  enter: ({ config, scope }, states) =>
    scope.layerNorm(states, 'transformer.word_embeddings_layernorm', { epsilon: config.normEpsilon }),
  leave: ({ config, scope }, hidden) => scope.layerNorm(hidden, 'transformer.ln_f', { epsilon: config.normEpsilon }),
  taskHead: decoderHeads({
    token: { name: 'classifier', dropoutFields: ['classifier_dropout', 'hidden_dropout'], dropout: 0 }
  }),
  rotaryTables: () => ({})
})
