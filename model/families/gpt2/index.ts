// GPT-2: learned positions, fused projections whose weights are transposed.

import { decoderHeads } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { defineFamily } from '../define-family.ts'
import { gpt2Block } from './block.ts'
import { parseGpt2Config } from './config.ts'
import { gpt2ClientTensorNames, gpt2LinearModules } from './tensors.ts'

export const gpt2 = defineFamily({
  modelTypes: ['gpt2'],
  parseConfig: parseGpt2Config,
  blockPath: block => `transformer.h.${block}`,
  linearModules: gpt2LinearModules,
  defaultTargets: ['c_attn'],
  biasedModules: config => config.biasedModules,
  otherTensors: ({ hiddenSize }) => layerNormTensors(['ln_1', 'ln_2'], hiddenSize),
  attention: ({ headDim, traits }, block) => ({
    scale: (traits.scaleScores ? headDim ** -0.5 : 1) / (traits.scaleByBlock ? block + 1 : 1)
  }),
  block: gpt2Block,
  clientTensorNames: gpt2ClientTensorNames,
  clientTensors: ({ hiddenSize, maxPositions }) => [
    { name: 'transformer.wpe.weight', shape: [maxPositions, hiddenSize] },
    ...layerNormTensors(['transformer.ln_f'], hiddenSize)
  ],
  enter: ({ g, scope }, states, positions) =>
    g.Add(states, g.Gather(scope.tensor('transformer.wpe.weight'), positions(), { axis: 0 })),
  leave: ({ config, scope }, hidden) => scope.layerNorm(hidden, 'transformer.ln_f', { epsilon: config.normEpsilon }),
  taskHead: decoderHeads({
    token: { name: 'classifier', dropoutFields: ['classifier_dropout', 'hidden_dropout'], dropout: 0.1 }
  }),
  rotaryTables: () => ({})
})
