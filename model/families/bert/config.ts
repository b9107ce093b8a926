// config.json of BERT and of the encoders with its blocks. Source of fields and defaults: configuration_bert.py of Hugging Face
// transformers 5.
import {
  evenHead,
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readPositive,
  readSize,
  readText,
  readTokens
} from '../../config/config.ts'
import { refuseDecoder } from '../../config/encoder-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

export const bertModules = [
  'attention.self.query',
  'attention.self.key',
  'attention.self.value',
  'attention.output.dense',
  'intermediate.dense',
  'output.dense'
] as const

export interface BertConfig extends ModelConfig {
  readonly traits: {
    readonly activation: Activation
    /** rows of the matrix of token types */
    readonly tokenTypes: number
    /** numbers of an embedding, before it is projected to the width of hidden states */
    readonly embeddingWidth: number
    /** rows of the position matrix before that of position 0 */
    readonly positionOffset: number
  }
}

/** What config.json means where a field is missing. */
export interface BertDefaults {
  readonly modelType: string
  readonly tokenTypes: number
  readonly padTokenId: number
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseBertConfig(raw: RawConfig, defaults: BertDefaults): BertConfig {
  checkQuantized(raw)
  refuseDecoder(raw)
  const hiddenSize = readSize(raw, 'hidden_size', 768)
  const numHeads = readSize(raw, 'num_attention_heads', 12)
  const numBlocks = readCount(raw, ['num_hidden_layers'], 12)
  const tokens = readTokens(raw)
  return {
    modelType: defaults.modelType,
    hiddenSize,
    numBlocks,
    stacks: [{ name: 'encoder', blocks: { first: 0, end: numBlocks } }],
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: readSize(raw, 'intermediate_size', 3072),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: readSize(raw, 'max_position_embeddings', 512),
    normEpsilon: readPositive(raw, 'layer_norm_eps', 1e-12),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...tokens,
    padTokenId: tokens.padTokenId ?? defaults.padTokenId,
    rope: null,
    biasedModules: bertModules,
    attentionBias: true,
    mlpBias: true,
    traits: {
      activation: readActivation('hidden_act', readText(raw, 'hidden_act', 'gelu')),
      tokenTypes: readSize(raw, 'type_vocab_size', defaults.tokenTypes),
      embeddingWidth: hiddenSize,
      positionOffset: 0
    },
    raw
  }
}
