// BART and mBART: an encoder and a decoder with learned positions, biased layers, norms behind the sums or before the layers.

import { stackOf } from '../../config/config.ts'
import type { HeadDescription, HeadTask } from '../../family.ts'
import { decoderAnswers, decoderSequence } from '../../layers/heads.ts'
import type { FamilyDescription } from '../../spans/description.ts'
import { defineFamily } from '../define-family.ts'
import { bartBlock, bartCrossProjections } from './block.ts'
import { type BartConfig, parseBartConfig } from './config.ts'
import {
  bartAliases,
  bartBlockPath,
  bartClientTensorNames,
  bartClientTensors,
  bartLinearModules,
  bartNormTensors,
  bartPositionOffset,
  logitsBias,
  stackPath
} from './tensors.ts'

/** Of the classes that transformers has. */
const heads: Readonly<Record<HeadTask, HeadDescription | null>> = {
  SEQ_CLS: decoderSequence,
  TOKEN_CLS: null,
  QUESTION_ANS: decoderAnswers,
  MASKED_LM: null
}

const description: Omit<FamilyDescription<BartConfig>, 'modelTypes' | 'defaultTargets'> = {
  parseConfig: parseBartConfig,
  withStored: (config, isStored) => ({
    ...config,
    traits: { ...config.traits, logitsBias: isStored(logitsBias) }
  }),
  // the last token of mBART's labels is their language, which its decoder begins with
  startsWithLast: ({ modelType }) => modelType === 'mbart',
  generationDefaults: () => ({ forced_eos_token_id: 2 }),
  blockPath: bartBlockPath,
  linearModules: bartLinearModules,
  biasedModules: (config, block) => bartLinearModules(config, block).map(({ name }) => name),
  otherTensors: bartNormTensors,
  attention: (config, block) => ({ bothWays: stackOf(config, block).name === 'encoder' }),
  block: bartBlock,
  crossProjections: bartCrossProjections,
  clientTensorNames: bartClientTensorNames,
  clientTensors: bartClientTensors,
  aliases: bartAliases,
  embeddingScale: ({ hiddenSize, traits }) => (traits.scalesEmbedding ? Math.fround(Math.sqrt(hiddenSize)) : 1),
  positionRule: () => ({ counts: 'places' }),
  enter({ g, config, scope, stack }, states, positions) {
    const path = stackPath(stack)
    const rows = g.Add(positions(), g.constant(bartPositionOffset, 'int64'))
    const placed = g.Gather(scope.tensor(`${path}.embed_positions.weight`), rows, { axis: 0 })
    return scope.layerNorm(g.Add(states, placed), `${path}.layernorm_embedding`, { epsilon: config.normEpsilon })
  },
  leave: ({ config, scope, stack }, hidden) =>
    config.traits.normFirst
      ? scope.layerNorm(hidden, `${stackPath(stack)}.layer_norm`, { epsilon: config.normEpsilon })
      : hidden,
  finish: ({ g, config, scope }, logits) =>
    config.traits.logitsBias ? g.Add(logits, scope.tensor(logitsBias)) : logits,
  taskHead: (_, task) => heads[task],
  rotaryTables: () => ({})
}

export const bart = defineFamily({ ...description, modelTypes: ['bart'], defaultTargets: ['q_proj', 'v_proj'] })

/** PEFT has no default modules for it. */
export const mBart = defineFamily({ ...description, modelTypes: ['mbart'], defaultTargets: [] })
