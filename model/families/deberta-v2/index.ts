// DeBERTa v2 and v3: BERT's blocks with disentangled attention over a table of distances that all share.
import type { HeadDescription, HeadTask } from '../../family.ts'
import { linearTensors, maskedHead, pooledLayer, tokenLayer } from '../../layers/heads.ts'
import { activate } from '../../layers/mlp.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { defineFamily } from '../define-family.ts'
import { debertaBlock, scoreScale } from './block.ts'
import { type DebertaConfig, parseDebertaConfig } from './config.ts'
import {
  debertaClientTensors,
  debertaWordMatrix,
  distanceTensors,
  embeddingNorm,
  isNarrow,
  linearModules,
  path,
  positionMatrix,
  projection,
  tokenTypeMatrix
} from './tensors.ts'

const decoder = 'cls.predictions.decoder'

/** A linear layer and an activation over the first state. */
function contextPooler({ traits }: DebertaConfig): HeadDescription {
  const { pooler, poolerWidth } = traits
  return {
    takes: 'first',
    tensors: () => linearTensors('pooler.dense', poolerWidth, poolerWidth),
    dropoutFields: [],
    dropout: 0,
    logits: ({ g, scope }, states) => activate(g, pooler, scope.project(states, 'pooler.dense'))
  }
}

function maskedHeadOf({ tiedEmbeddings, traits }: DebertaConfig): HeadDescription {
  const { activation, legacyHead, embeddingWidth } = traits
  if (!legacyHead) {
    const own = 'lm_predictions.lm_head'
    return maskedHead({
      dense: `${own}.dense`,
      norm: `${own}.LayerNorm`,
      bias: `${own}.bias`,
      matrix: debertaWordMatrix,
      activation
    })
  }
  return maskedHead({
    dense: 'cls.predictions.transform.dense',
    norm: 'cls.predictions.transform.LayerNorm',
    matrix: tiedEmbeddings ? debertaWordMatrix : `${decoder}.weight`,
    bias: tiedEmbeddings ? 'cls.predictions.bias' : `${decoder}.bias`,
    activation,
    width: embeddingWidth
  })
}

function taskHead(config: DebertaConfig, task: HeadTask): HeadDescription {
  switch (task) {
    case 'SEQ_CLS': {
      const dropout = { dropoutFields: ['cls_dropout', 'hidden_dropout_prob'], dropout: 0.1 }
      return pooledLayer(contextPooler(config), 'classifier', dropout)
    }
    case 'TOKEN_CLS':
      return tokenLayer('classifier', { dropoutFields: ['hidden_dropout_prob'], dropout: 0.1 })
    case 'QUESTION_ANS':
      return tokenLayer('qa_outputs')
    case 'MASKED_LM':
      return maskedHeadOf(config)
  }
}

export const debertaV2 = defineFamily({
  modelTypes: ['deberta-v2'],
  parseConfig: parseDebertaConfig,
  blockPath: block => `${path}.encoder.layer.${block}`,
  linearModules,
  clientLinearModules: config =>
    isNarrow(config)
      ? [{ name: projection, inFeatures: config.traits.embeddingWidth, outFeatures: config.hiddenSize }]
      : [],
  defaultTargets: ['query_proj', 'value_proj'],
  biasedModules: config => linearModules(config).map(({ name }) => name),
  otherTensors: ({ hiddenSize }) => layerNormTensors(['attention.output.LayerNorm', 'output.LayerNorm'], hiddenSize),
  sharedTensors: distanceTensors,
  attention: config => ({ bothWays: true, scale: scoreScale(config) }),
  block: debertaBlock,
  clientTensorNames: ({ tiedEmbeddings, traits }) => ({
    embedding: debertaWordMatrix,
    norm: null,
    head: tiedEmbeddings || !traits.legacyHead ? debertaWordMatrix : `${decoder}.weight`
  }),
  clientTensors: debertaClientTensors,
  embeddingWidth: ({ traits }) => traits.embeddingWidth,
  featureWidth: ({ hiddenSize }) => hiddenSize,
  positionRule: () => ({ counts: 'places' }),
  tokenTypes: ({ traits }) => traits.tokenTypes,
  enter({ g, config, scope }, states, positions, types) {
    const { placesInput, tokenTypes } = config.traits
    const placed = placesInput
      ? g.Add(states, g.Gather(scope.tensor(positionMatrix), positions(), { axis: 0 }))
      : states
    const typed = tokenTypes > 0 ? g.Add(placed, g.Gather(scope.tensor(tokenTypeMatrix), types(), { axis: 0 })) : placed
    const wide = isNarrow(config) ? scope.project(typed, projection) : typed
    return scope.layerNorm(wide, embeddingNorm, { epsilon: config.normEpsilon })
  },
  leave: (_, hidden) => hidden,
  taskHead,
  rotaryTables: () => ({})
})
