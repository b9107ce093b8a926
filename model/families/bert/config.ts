// config.json of BERT and of the encoders with its blocks. Source of fields and defaults: configuration_bert.py of Hugging Face
// transformers 5.
import { SwarmError } from '../../../common/errors.ts'
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

export interface BertConfig extends ModelConfig {
  readonly traits: {
    readonly activation: Activation
    /** rows of the matrix of token types; 0: no such matrix */
    readonly tokenTypes: number
    /** numbers of an embedding, before it is projected to the width of hidden states */
    readonly embeddingWidth: number
    /** rows of the position matrix before that of position 0 */
    readonly positionOffset: number
    /** rows of the table of relative biases, where attention has some */
    readonly relativeRows?: number
  }
}

/** What config.json means where a field is missing. */
export interface BertDefaults {
  readonly modelType: string
  readonly padTokenId: number
  readonly hiddenSize?: number
  readonly numHeads?: number
  readonly intermediateSize?: number
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseBertConfig(raw: RawConfig, defaults: BertDefaults): BertConfig {
  checkQuantized(raw)
  refuseDecoder(raw)
  const { modelType, padTokenId } = defaults
  const hiddenSize = readSize(raw, 'hidden_size', defaults.hiddenSize ?? 768)
  const numHeads = readSize(raw, 'num_attention_heads', defaults.numHeads ?? 12)
  const numBlocks = readCount(raw, ['num_hidden_layers'], 12)
  const tokens = readTokens(raw)
  return {
    modelType,
    hiddenSize,
    numBlocks,
    stacks: [{ name: 'encoder', blocks: { first: 0, end: numBlocks } }],
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: readSize(raw, 'intermediate_size', defaults.intermediateSize ?? 3072),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions: readSize(raw, 'max_position_embeddings', 512),
    normEpsilon: readPositive(raw, 'layer_norm_eps', 1e-12),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...tokens,
    padTokenId: tokens.padTokenId ?? padTokenId,
    rope: null,
    biasedModules: [],
    attentionBias: true,
    mlpBias: true,
    traits: {
      activation: readActivation('hidden_act', readText(raw, 'hidden_act', 'gelu')),
      tokenTypes: readSize(raw, 'type_vocab_size', 2),
      embeddingWidth: hiddenSize,
      positionOffset: 0
    },
    raw
  }
}

/** The same where the first rows of the position matrix are for padding, up to that of `padTokenId`. Throws BAD_CHECKPOINT. */
export function behindPadding(config: BertConfig, padTokenId: number): BertConfig {
  const positionOffset = padTokenId + 1
  const maxPositions = config.maxPositions - positionOffset
  if (padTokenId < 0 || maxPositions < 1) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: pad_token_id: expected 0 to ${config.maxPositions - 2}, the rows of the position matrix, found ${padTokenId}`
    )
  }
  return { ...config, maxPositions, traits: { ...config.traits, positionOffset } }
}
