// DistilBERT (arXiv 1910.01108): BERT's blocks under other names, without token types and pooler.
import type { HeadDescription, HeadTask } from '../../family.ts'
import { denseLayer, maskedHead, tokenLayer } from '../../layers/heads.ts'
import type { BertConfig } from '../bert/config.ts'
import { bertEncoder, wordMatrix } from '../bert/encoder.ts'
import { defineFamily } from '../define-family.ts'
import { parseDistilBertConfig } from './config.ts'

const path = 'distilbert'
const decoder = 'vocab_projector'
const names = {
  query: 'attention.q_lin',
  key: 'attention.k_lin',
  value: 'attention.v_lin',
  mixed: 'attention.out_lin',
  attentionNorm: 'sa_layer_norm',
  up: 'ffn.lin1',
  down: 'ffn.lin2',
  outputNorm: 'output_layer_norm'
}

function taskHead({ tiedEmbeddings, traits }: BertConfig, task: HeadTask): HeadDescription {
  switch (task) {
    case 'SEQ_CLS': {
      const dropout = { dropoutFields: ['seq_classif_dropout'], dropout: 0.2 }
      return denseLayer({ dense: 'pre_classifier', activation: 'relu', out: 'classifier', dropsFirst: false }, dropout)
    }
    case 'TOKEN_CLS':
      return tokenLayer('classifier', { dropoutFields: ['dropout'], dropout: 0.1 })
    case 'QUESTION_ANS':
      return tokenLayer('qa_outputs', { dropoutFields: ['qa_dropout'], dropout: 0.1 })
    case 'MASKED_LM':
      return maskedHead({
        dense: 'vocab_transform',
        norm: 'vocab_layer_norm',
        activation: traits.activation,
        matrix: tiedEmbeddings ? wordMatrix(path) : `${decoder}.weight`,
        bias: `${decoder}.bias`
      })
  }
}

export const distilBert = defineFamily({
  ...bertEncoder({ path, blocks: 'transformer.layer', names, head: `${decoder}.weight` }),
  modelTypes: ['distilbert'],
  parseConfig: parseDistilBertConfig,
  // PEFT names none
  defaultTargets: [],
  taskHead
})
