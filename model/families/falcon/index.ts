// Falcon: one key/value head for all queries (7B) or for groups of them (40B, 180B, 11B); linear biases in Falcon-RW.

import { alibiSlopes } from '../../layers/alibi.ts'
import { decoderHeads } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { falconBlock } from './block.ts'
import { parseFalconConfig } from './config.ts'
import { falconClientTensorNames, falconLinearModules, falconNormTensors } from './tensors.ts'

export const falcon = defineFamily({
  modelTypes: ['falcon'],
  parseConfig: parseFalconConfig,
  blockPath: block => `transformer.h.${block}`,
  linearModules: falconLinearModules,
  defaultTargets: ['query_key_value'],
  biasedModules: config => config.biasedModules,
  otherTensors: falconNormTensors,
  attention: ({ rope, numHeads, headDim }) =>
    rope === null
      ? { alibi: { slopes: alibiSlopes(numHeads), scale: 1 / Math.sqrt(headDim), rounded: true } }
      : { rotary: { cos: 'cos', sin: 'sin', dims: headDim } },
  block: falconBlock,
  clientTensorNames: falconClientTensorNames,
  clientTensors: ({ hiddenSize }) => layerNormTensors(['transformer.ln_f'], hiddenSize),
  leave: ({ config, scope }, hidden) => scope.layerNorm(hidden, 'transformer.ln_f', { epsilon: config.normEpsilon }),
  taskHead: decoderHeads({
    token: { name: 'classifier', dropoutFields: ['classifier_dropout', 'hidden_dropout'], dropout: 0 }
  }),
  rotaryTables: ({ rope, headDim }, positions, length) =>
    rope === null ? {} : rotaryTables(rope, headDim, positions, length)
})
