// ELECTRA (arXiv 2003.10555): BERT's blocks over embeddings that may be narrower than hidden states.
import { type RawConfig, readSize } from '../../config/config.ts'
import type { HeadDescription, HeadTask } from '../../family.ts'
import { denseLayer, maskedHead, tokenLayer } from '../../layers/heads.ts'
import { type BertConfig, parseBertConfig } from '../bert/config.ts'
import { bertEncoder, wordMatrix } from '../bert/encoder.ts'
import { defineFamily } from '../define-family.ts'

const path = 'electra'
const decoder = 'generator_lm_head'
const dropout = { dropoutFields: ['classifier_dropout', 'hidden_dropout_prob'], dropout: 0.1 }

function parseConfig(raw: RawConfig): BertConfig {
  const sizes = { hiddenSize: 256, numHeads: 4, intermediateSize: 1024 }
  const config = parseBertConfig(raw, { modelType: 'electra', padTokenId: 0, ...sizes })
  return { ...config, traits: { ...config.traits, embeddingWidth: readSize(raw, 'embedding_size', 128) } }
}

function taskHead({ tiedEmbeddings, traits }: BertConfig, task: HeadTask): HeadDescription {
  switch (task) {
    case 'SEQ_CLS':
      return denseLayer({ dense: 'classifier.dense', activation: 'gelu', out: 'classifier.out_proj' }, dropout)
    case 'TOKEN_CLS':
      return tokenLayer('classifier', dropout)
    case 'QUESTION_ANS':
      return tokenLayer('qa_outputs')
    case 'MASKED_LM':
      return maskedHead({
        dense: 'generator_predictions.dense',
        norm: 'generator_predictions.LayerNorm',
        activation: 'gelu',
        width: traits.embeddingWidth,
        matrix: tiedEmbeddings ? wordMatrix(path) : `${decoder}.weight`,
        bias: `${decoder}.bias`
      })
  }
}

export const electra = defineFamily({
  ...bertEncoder({ path, head: `${decoder}.weight` }),
  modelTypes: ['electra'],
  parseConfig,
  defaultTargets: ['query', 'value'],
  taskHead
})
