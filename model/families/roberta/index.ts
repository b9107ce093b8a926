// RoBERTa and XLM-RoBERTa (arXiv 1907.11692, 1911.02116): BERT's blocks; tokens are numbered by the ids, after the row of padding.
import type { RawConfig } from '../../config/config.ts'
import type { HeadDescription, HeadTask } from '../../family.ts'
import { denseLayer, maskedHead, tanhPooler, tokenLayer } from '../../layers/heads.ts'
import { type BertConfig, behindPadding, parseBertConfig } from '../bert/config.ts'
import { bertEncoder, wordMatrix } from '../bert/encoder.ts'
import { defineFamily } from '../define-family.ts'

const path = 'roberta'
const decoder = 'lm_head.decoder'
const dropout = { dropoutFields: ['classifier_dropout', 'hidden_dropout_prob'], dropout: 0.1 }
const modelTypes = ['roberta', 'xlm-roberta']

function parseConfig(raw: RawConfig): BertConfig {
  const modelType = modelTypes.find(type => type === raw.model_type) ?? modelTypes[0]!
  const config = parseBertConfig(raw, { modelType, padTokenId: 1 })
  return behindPadding(config, config.padTokenId!)
}

function taskHead({ tiedEmbeddings }: BertConfig, task: HeadTask): HeadDescription {
  switch (task) {
    case 'SEQ_CLS':
      return denseLayer({ dense: 'classifier.dense', activation: 'tanh', out: 'classifier.out_proj' }, dropout)
    case 'TOKEN_CLS':
      return tokenLayer('classifier', dropout)
    case 'QUESTION_ANS':
      return tokenLayer('qa_outputs')
    case 'MASKED_LM':
      return maskedHead({
        dense: 'lm_head.dense',
        norm: 'lm_head.layer_norm',
        activation: 'gelu',
        matrix: tiedEmbeddings ? wordMatrix(path) : `${decoder}.weight`,
        bias: tiedEmbeddings ? 'lm_head.bias' : `${decoder}.bias`
      })
  }
}

export const roberta = defineFamily({
  ...bertEncoder({ path, head: `${decoder}.weight` }),
  modelTypes,
  parseConfig,
  defaultTargets: ['query', 'value'],
  positionRule: ({ padTokenId }) => ({ counts: 'ids', padTokenId: padTokenId! }),
  pooler: () => tanhPooler(`${path}.pooler.dense`),
  taskHead
})
