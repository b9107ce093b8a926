// BERT: learned positions and token types, attention both ways, norms after the sums, a pooler over the first token.
import type { HeadDescription, HeadTask } from '../../family.ts'
import { maskedHead, pooledLayer, tanhPooler, tokenLayer } from '../../layers/heads.ts'
import { defineFamily } from '../define-family.ts'
import { type BertConfig, parseBertConfig } from './config.ts'
import { bertEncoder, wordMatrix } from './encoder.ts'

const path = 'bert'
const decoder = 'cls.predictions.decoder'
const pooler = tanhPooler(`${path}.pooler.dense`)
const dropout = { dropoutFields: ['classifier_dropout', 'hidden_dropout_prob'], dropout: 0.1 }

function taskHead({ tiedEmbeddings, traits }: BertConfig, task: HeadTask): HeadDescription {
  switch (task) {
    case 'SEQ_CLS':
      return pooledLayer(pooler, 'classifier', dropout)
    case 'TOKEN_CLS':
      return tokenLayer('classifier', dropout)
    case 'QUESTION_ANS':
      return tokenLayer('qa_outputs')
    case 'MASKED_LM':
      return maskedHead({
        dense: 'cls.predictions.transform.dense',
        norm: 'cls.predictions.transform.LayerNorm',
        activation: traits.activation,
        matrix: tiedEmbeddings ? wordMatrix(path) : `${decoder}.weight`,
        // without ties the matrix has a bias of its own, and the other is not read
        bias: tiedEmbeddings ? 'cls.predictions.bias' : `${decoder}.bias`
      })
  }
}

export const bert = defineFamily({
  ...bertEncoder({ path, head: `${decoder}.weight` }),
  modelTypes: ['bert'],
  parseConfig: raw => parseBertConfig(raw, { modelType: 'bert', padTokenId: 0 }),
  defaultTargets: ['query', 'value'],
  pooler: () => pooler,
  taskHead
})
