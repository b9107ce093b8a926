// The Llama family: Llama, Mistral (sliding window), Qwen2 (biases), Qwen3 (norms of each head).

import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { llamaBlock } from './block.ts'
import { llamaModelTypes, parseLlamaConfig } from './config.ts'
import { llamaClientTensorNames, llamaLinearModules, llamaNormTensors } from './tensors.ts'

export const llama = defineFamily({
  modelTypes: llamaModelTypes,
  parseConfig: parseLlamaConfig,
  blockPath: block => `model.layers.${block}`,
  linearModules: llamaLinearModules,
  defaultTargets: ['q_proj', 'v_proj'],
  biasedModules: config => config.biasedModules,
  otherTensors: llamaNormTensors,
  attention: ({ headDim, traits }, block) => ({
    window: traits.windows[block] ?? undefined,
    rotary: { cos: 'cos', sin: 'sin', dims: headDim }
  }),
  block: llamaBlock,
  clientTensorNames: llamaClientTensorNames,
  clientTensors: ({ hiddenSize }) => [{ name: 'model.norm.weight', shape: [hiddenSize] }],
  leave: ({ config, scope }, hidden) => scope.rmsNorm(hidden, 'model.norm', { epsilon: config.normEpsilon }),
  // transformers calls the base model of most of these classes otherwise, as it did long ago
  pathIn({ modelType }, task, path) {
    if (task === 'FEATURE_EXTRACTION') return path.slice(path.indexOf('.') + 1)
    return task === 'QUESTION_ANS' && modelType !== 'mistral' ? path.replace(/^model\./, 'transformer.') : path
  },
  rotaryTables: ({ rope, headDim }, positions, length) => rotaryTables(rope, headDim, positions, length)
})
