// config.json of GPT-2. Source of fields and defaults: configuration_gpt2.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  evenHead,
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readPositive,
  readSize,
  readSizeOf,
  readText,
  readTokens
} from '../../config/config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

export const gpt2Modules = ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'] as const

export interface Gpt2Config extends ModelConfig {
  readonly traits: {
    readonly activation: Activation
    /** whether scores are divided by the square root of a head's width, */
    readonly scaleScores: boolean
    /** and by the block's number, counted from 1 */
    readonly scaleByBlock: boolean
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseGpt2Config(raw: RawConfig): Gpt2Config {
  checkQuantized(raw)
  if (readFlag(raw, 'add_cross_attention', false)) {
    throw new SwarmError('UNSUPPORTED', 'config.json: add_cross_attention is not supported')
  }
  const hiddenSize = readSizeOf(raw, ['n_embd', 'hidden_size'])
  const numHeads = readSizeOf(raw, ['n_head', 'num_attention_heads'])
  const activation = readText(raw, 'activation_function', 'gelu_new')
  return {
    modelType: 'gpt2',
    hiddenSize,
    numBlocks: readCount(raw, ['n_layer', 'num_hidden_layers']),
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: readSize(raw, 'n_inner', 4 * hiddenSize),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: readSizeOf(raw, ['n_positions', 'max_position_embeddings'], 1024),
    normEpsilon: readPositive(raw, 'layer_norm_epsilon', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope: null,
    biasedModules: gpt2Modules,
    attentionBias: true,
    mlpBias: true,
    traits: {
      activation: readActivation('activation_function', activation),
      scaleScores: readFlag(raw, 'scale_attn_weights', true),
      scaleByBlock: readFlag(raw, 'scale_attn_by_inverse_layer_idx', false)
    },
    raw
  }
}
