// config.json of BLOOM. Source of fields and defaults: configuration_bloom.py of Hugging Face transformers 5.
import {
  evenHead,
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readPositive,
  readSize,
  readSizeOf,
  readTokens
} from '../../config/config.ts'
import { checkQuantized } from '../../formats/scale.ts'

const bloomModules = [
  'self_attention.query_key_value',
  'self_attention.dense',
  'mlp.dense_h_to_4h',
  'mlp.dense_4h_to_h'
] as const

export interface BloomConfig extends ModelConfig {
  readonly traits: {
    /** what the layers' results are added to is the norm of the block's input, not the input */
    readonly addsToNorm: boolean
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseBloomConfig(raw: RawConfig): BloomConfig {
  checkQuantized(raw)
  const hiddenSize = readSizeOf(raw, ['hidden_size', 'n_embed'])
  const numHeads = readSizeOf(raw, ['n_head', 'num_attention_heads'])
  return {
    modelType: 'bloom',
    hiddenSize,
    numBlocks: readCount(raw, ['n_layer', 'num_hidden_layers']),
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: 4 * hiddenSize,
    vocabSize: readSize(raw, 'vocab_size'),
    // what it was trained for; ALiBi goes on beyond
    maxPositions: readSize(raw, 'seq_length', 2048),
    normEpsilon: readPositive(raw, 'layer_norm_epsilon', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope: null,
    biasedModules: bloomModules,
    attentionBias: true,
    mlpBias: true,
    traits: { addsToNorm: readFlag(raw, 'apply_residual_connection_post_layernorm', false) },
    raw
  }
}
