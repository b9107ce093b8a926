// Mixtral: Llama's attention, and a mixture of experts with two experts per token.

import { rmsNormTensors } from '../../layers/norms.ts'
import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { attentionModulesOf, llamaClientTensorNames } from '../llama/tensors.ts'
import { mixtralBlock } from './block.ts'
import { parseMixtralConfig } from './config.ts'
import { blockParameters, otherTensors } from './tensors.ts'

export const mixtral = defineFamily({
  modelTypes: ['mixtral'],
  parseConfig: parseMixtralConfig,
  blockPath: block => `model.layers.${block}`,
  // as in transformers 5, where router and experts are parameters
  linearModules: attentionModulesOf,
  blockParameters,
  defaultTargets: ['q_proj', 'v_proj'],
  biasedModules: config => config.biasedModules,
  otherTensors,
  attention: ({ headDim, traits }, block) => ({
    window: traits.windows[block] ?? undefined,
    rotary: { cos: 'cos', sin: 'sin', dims: headDim }
  }),
  block: mixtralBlock,
  clientTensorNames: llamaClientTensorNames,
  clientTensors: ({ hiddenSize }) => rmsNormTensors(['model.norm'], hiddenSize),
  leave: ({ config, scope }, hidden) => scope.rmsNorm(hidden, 'model.norm', { epsilon: config.normEpsilon }),
  rotaryTables: ({ rope, headDim }, positions, length) => rotaryTables(rope, headDim, positions, length)
})
