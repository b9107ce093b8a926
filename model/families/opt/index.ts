// OPT: learned positions with an offset, norms before or after, embeddings narrower than hidden states.

import { decoderHeads } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { defineFamily } from '../define-family.ts'
import { optBlock } from './block.ts'
import { type OptConfig, parseOptConfig } from './config.ts'
import {
  clientTensors,
  decoder,
  optClientTensorNames,
  optLinearModules,
  optProjections,
  positionOffset
} from './tensors.ts'

const isNarrow = ({ hiddenSize, traits }: OptConfig): boolean => traits.embeddingWidth !== hiddenSize

export const opt = defineFamily({
  modelTypes: ['opt'],
  parseConfig: parseOptConfig,
  blockPath: block => `${decoder}.layers.${block}`,
  linearModules: optLinearModules,
  clientLinearModules: optProjections,
  defaultTargets: ['q_proj', 'v_proj'],
  biasedModules: config => config.biasedModules,
  otherTensors: ({ hiddenSize }) => layerNormTensors(['self_attn_layer_norm', 'final_layer_norm'], hiddenSize),
  attention: () => ({}),
  block: optBlock,
  clientTensorNames: optClientTensorNames,
  clientTensors,
  embeddingWidth: ({ traits }) => traits.embeddingWidth,
  enter({ g, config, scope }, states, positions) {
    const rows = g.Add(positions(), g.constant(positionOffset, 'int64'))
    const placed = g.Gather(scope.tensor(`${decoder}.embed_positions.weight`), rows, { axis: 0 })
    return g.Add(isNarrow(config) ? scope.project(states, `${decoder}.project_in`) : states, placed)
  },
  leave({ config, scope }, hidden) {
    const { traits, normEpsilon: epsilon } = config
    const normed = traits.finalNorm ? scope.layerNorm(hidden, `${decoder}.final_layer_norm`, { epsilon }) : hidden
    return isNarrow(config) ? scope.project(normed, `${decoder}.project_out`) : normed
  },
  taskHead: decoderHeads({ width: ({ traits }) => traits.embeddingWidth }),
  rotaryTables: () => ({})
})
