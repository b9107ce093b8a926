// config.json of Falcon. Source of fields and defaults: configuration_falcon.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
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
  readSizeOf,
  readText,
  readTokens
} from '../../config/config.ts'
import { readRope, stretchedPositions } from '../../config/rope-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

const falconModules = [
  'self_attention.query_key_value',
  'self_attention.dense',
  'mlp.dense_h_to_4h',
  'mlp.dense_4h_to_h'
] as const

/** Which norms a block has: one for both layers, one for each, or one before each of two layers in a row. */
export type FalconNorms = 'shared' | 'separate' | 'sequential'

export interface FalconConfig extends ModelConfig {
  /** null in Falcon-RW, where attention has linear biases */
  readonly rope: RopeConfig | null
  readonly traits: { readonly activation: Activation; readonly norms: FalconNorms }
}

function readNorms(raw: RawConfig, isNew: boolean): FalconNorms {
  if (!readFlag(raw, 'parallel_attn', true)) {
    if (!isNew) return 'sequential'
    throw new SwarmError('UNSUPPORTED', 'config.json: new_decoder_architecture without parallel_attn is not supported')
  }
  return isNew && readSize(raw, 'num_ln_in_parallel_attn', 2) === 2 ? 'separate' : 'shared'
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseFalconConfig(raw: RawConfig): FalconConfig {
  checkQuantized(raw)
  const hiddenSize = readSizeOf(raw, ['hidden_size', 'n_embed'])
  const numHeads = readSizeOf(raw, ['num_attention_heads', 'n_head'])
  const headDim = evenHead(hiddenSize, numHeads)
  const isNew = readFlag(raw, 'new_decoder_architecture', false)
  const single = readFlag(raw, 'multi_query', true) ? 1 : numHeads
  const numKeyValueHeads = isNew ? readSizeOf(raw, ['num_kv_heads', 'n_head_kv'], numHeads) : single
  const isAlibi = readFlag(raw, 'alibi', false)
  if (isAlibi && numKeyValueHeads !== numHeads) {
    throw new SwarmError('UNSUPPORTED', 'config.json: alibi with shared key/value heads is not supported')
  }
  checkHeads({ numHeads, numKeyValueHeads, rotated: isAlibi ? undefined : headDim })
  const trained = readSize(raw, 'max_position_embeddings', 2048)
  const rope = isAlibi ? null : readRope(raw, { maxPositions: trained, theta: 10_000, rotated: headDim })
  const biased = readFlag(raw, 'bias', false)
  return {
    modelType: 'falcon',
    hiddenSize,
    numBlocks: readCount(raw, ['num_hidden_layers', 'n_layer']),
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: readSize(raw, 'ffn_hidden_size', 4 * hiddenSize),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: stretchedPositions(rope, trained),
    normEpsilon: readPositive(raw, 'layer_norm_epsilon', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope,
    biasedModules: biased ? falconModules : [],
    attentionBias: biased,
    mlpBias: biased,
    traits: {
      activation: readActivation('activation', readText(raw, 'activation', 'gelu')),
      norms: readNorms(raw, isNew)
    },
    raw
  }
}
