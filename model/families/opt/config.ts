// config.json of OPT. Source of fields and defaults: configuration_opt.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  evenHead,
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readSize,
  readText,
  readTokens
} from '../../config/config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

export const optAttention = ['self_attn.k_proj', 'self_attn.v_proj', 'self_attn.q_proj', 'self_attn.out_proj'] as const
const optModules = [...optAttention, 'fc1', 'fc2'] as const

export interface OptConfig extends ModelConfig {
  readonly traits: {
    readonly activation: Activation
    /** norms stand before attention and MLP; behind what they are added to in opt-350m */
    readonly normFirst: boolean
    readonly finalNorm: boolean
    /** width of the embedding matrix */
    readonly embeddingWidth: number
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseOptConfig(raw: RawConfig): OptConfig {
  checkQuantized(raw)
  if (!readFlag(raw, 'layer_norm_elementwise_affine', true)) {
    throw new SwarmError('UNSUPPORTED', 'config.json: layer_norm_elementwise_affine false is not supported')
  }
  const hiddenSize = readSize(raw, 'hidden_size')
  const numHeads = readSize(raw, 'num_attention_heads')
  const normFirst = readFlag(raw, 'do_layer_norm_before', true)
  const biased = readFlag(raw, 'enable_bias', true)
  return {
    modelType: 'opt',
    hiddenSize,
    numBlocks: readCount(raw, ['num_hidden_layers']),
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: readSize(raw, 'ffn_dim'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: readSize(raw, 'max_position_embeddings', 2048),
    normEpsilon: 1e-5,
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope: null,
    biasedModules: biased ? optModules : [],
    attentionBias: biased,
    mlpBias: biased,
    traits: {
      activation: readActivation('activation_function', readText(raw, 'activation_function', 'relu')),
      normFirst,
      finalNorm: normFirst && !readFlag(raw, '_remove_final_layer_norm', false),
      embeddingWidth: readSize(raw, 'word_embed_proj_dim', hiddenSize)
    },
    raw
  }
}
