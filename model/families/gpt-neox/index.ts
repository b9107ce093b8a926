// GPT-NeoX and Pythia: a part of each head is rotated, attention and MLP work in parallel.

import { decoderHeads } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { gptNeoXBlock } from './block.ts'
import { parseGptNeoxConfig } from './config.ts'
import { gptNeoxClientTensorNames, gptNeoxLinearModules } from './tensors.ts'

export const gptNeoX = defineFamily({
  modelTypes: ['gpt_neox'],
  parseConfig: parseGptNeoxConfig,
  blockPath: block => `gpt_neox.layers.${block}`,
  linearModules: gptNeoxLinearModules,
  defaultTargets: ['query_key_value'],
  biasedModules: config => config.biasedModules,
  otherTensors: ({ hiddenSize }) => layerNormTensors(['input_layernorm', 'post_attention_layernorm'], hiddenSize),
  attention: ({ traits }) => ({ rotary: { cos: 'cos', sin: 'sin', dims: traits.rotated } }),
  block: gptNeoXBlock,
  clientTensorNames: gptNeoxClientTensorNames,
  clientTensors: ({ hiddenSize }) => layerNormTensors(['gpt_neox.final_layer_norm'], hiddenSize),
  leave: ({ config, scope }, hidden) =>
    scope.layerNorm(hidden, 'gpt_neox.final_layer_norm', { epsilon: config.normEpsilon }),
  taskHead: decoderHeads({
    token: { name: 'classifier', dropoutFields: ['classifier_dropout'], dropout: 0.1 }
  }),
  rotaryTables: ({ rope, traits }, positions, length) => rotaryTables(rope, traits.rotated, positions, length)
})
