// config.json of GPT-NeoX and Pythia. Source of fields and defaults: configuration_gpt_neox.py of Hugging Face transformers 5.
import {
  checkHeads,
  evenHead,
  type ModelConfig,
  type RawConfig,
  type RopeConfig,
  readCount,
  readFlag,
  readPositive,
  readSize,
  readText,
  readTokens
} from '../../config/config.ts'
import { readRope, readRotatedPart, stretchedPositions } from '../../config/rope-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

const gptNeoxAttentionModules = ['attention.query_key_value', 'attention.dense'] as const
const gptNeoxMlpModules = ['mlp.dense_h_to_4h', 'mlp.dense_4h_to_h'] as const

export interface GptNeoXConfig extends ModelConfig {
  readonly rope: RopeConfig
  readonly traits: {
    readonly activation: Activation
    /** attention and MLP both work on the block's input */
    readonly parallel: boolean
    /** leading numbers of each head that are rotated */
    readonly rotated: number
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseGptNeoxConfig(raw: RawConfig): GptNeoXConfig {
  checkQuantized(raw)
  const hiddenSize = readSize(raw, 'hidden_size')
  const numHeads = readSize(raw, 'num_attention_heads')
  const trained = readSize(raw, 'max_position_embeddings', 2048)
  const headDim = evenHead(hiddenSize, numHeads)
  const part = readRotatedPart(raw, 'rotary_pct', 0.25)
  const rotated = Math.floor(headDim * part)
  const defaults = { maxPositions: trained, theta: 10_000, rotated, part }
  const rope = readRope(raw, defaults, 'rotary_emb_base')
  checkHeads({ numHeads, numKeyValueHeads: numHeads, rotated })
  const attentionBias = readFlag(raw, 'attention_bias', true)
  return {
    modelType: 'gpt_neox',
    hiddenSize,
    numBlocks: readCount(raw, ['num_hidden_layers']),
    numHeads,
    numKeyValueHeads: numHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: stretchedPositions(rope, trained),
    normEpsilon: readPositive(raw, 'layer_norm_eps', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', false),
    ...readTokens(raw),
    rope,
    biasedModules: [...(attentionBias ? gptNeoxAttentionModules : []), ...gptNeoxMlpModules],
    attentionBias,
    mlpBias: true,
    traits: {
      activation: readActivation('hidden_act', readText(raw, 'hidden_act', 'gelu')),
      parallel: readFlag(raw, 'use_parallel_residual', true),
      rotated
    },
    raw
  }
}
