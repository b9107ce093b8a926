// MPNet (arXiv 2004.09297): BERT's blocks with relative biases that all share, without token types; positions as RoBERTa's.
import { SwarmError } from '../../../common/errors.ts'
import { type RawConfig, readSize } from '../../config/config.ts'
import type { HeadDescription, HeadTask } from '../../family.ts'
import { denseLayer, maskedHead, tanhPooler, tokenLayer } from '../../layers/heads.ts'
import { type BertConfig, behindPadding, parseBertConfig } from '../bert/config.ts'
import { bertEncoder, bertNames, wordMatrix } from '../bert/encoder.ts'
import { defineFamily } from '../define-family.ts'

const path = 'mpnet'
const decoder = 'lm_head.decoder'
const table = `${path}.encoder.relative_attention_bias.weight`
const dropout = { dropoutFields: ['hidden_dropout_prob'], dropout: 0.1 }
/** whatever the configuration says */
const padTokenId = 1
/** of modeling_mpnet.py, whatever the configuration says: it only sizes the table */
const buckets = 32
const maxDistance = 128

const names = {
  ...bertNames,
  query: 'attention.attn.q',
  key: 'attention.attn.k',
  value: 'attention.attn.v',
  mixed: 'attention.attn.o',
  attentionNorm: 'attention.LayerNorm'
}

function parseConfig(raw: RawConfig): BertConfig {
  const config = behindPadding(
    parseBertConfig({ ...raw, type_vocab_size: 1 }, { modelType: 'mpnet', padTokenId }),
    padTokenId
  )
  const relativeRows = readSize(raw, 'relative_attention_num_buckets', buckets)
  if (relativeRows < buckets) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: relative_attention_num_buckets: expected at least ${buckets}, found ${relativeRows}`
    )
  }
  return { ...config, traits: { ...config.traits, tokenTypes: 0, relativeRows }, raw }
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

export const mpnet = defineFamily({
  ...bertEncoder({ path, names, head: `${decoder}.weight` }),
  modelTypes: ['mpnet'],
  parseConfig,
  // PEFT names none
  defaultTargets: [],
  sharedTensors: ({ numHeads, traits }) => [{ name: table, shape: [traits.relativeRows!, numHeads], isTable: true }],
  attention: ({ traits }) => ({ bothWays: true, relative: { table, buckets, rows: traits.relativeRows, maxDistance } }),
  positionRule: () => ({ counts: 'ids', padTokenId }),
  pooler: () => tanhPooler(`${path}.pooler.dense`),
  taskHead
})
