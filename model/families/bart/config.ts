// config.json of BART and mBART. Source of fields and defaults: configuration_bart.py and configuration_mbart.py of Hugging Face
// transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  evenHead,
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readSize,
  readSizeOf,
  readText,
  readTokenId,
  readTokens,
  type Stack,
  savedClass
} from '../../config/config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

type BartModelType = 'bart' | 'mbart'

export interface BartConfig extends ModelConfig {
  readonly stacks: readonly Stack[]
  readonly traits: {
    readonly activation: Activation
    /** norms stand before attention and feed-forward layers, and behind the last block; else behind what they are added to (BART) */
    readonly normFirst: boolean
    /** embeddings are multiplied with the root of their width */
    readonly scalesEmbedding: boolean
    /** inner width of feed-forward layers */
    readonly inner: Readonly<Record<Stack['name'], number>>
    /** the files hold a number for each token, which is added to its score */
    readonly logitsBias: boolean
  }
}

function bothHeads(raw: RawConfig): number {
  const encoder = readSizeOf(raw, ['encoder_attention_heads', 'num_attention_heads'], 16)
  const decoder = readSize(raw, 'decoder_attention_heads', 16)
  if (encoder === decoder) return encoder
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: encoder_attention_heads ${encoder} and decoder_attention_heads ${decoder}: different numbers of heads are not supported`
  )
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseBartConfig(raw: RawConfig): BartConfig {
  checkQuantized(raw)
  const saved = savedClass(raw)
  if (saved?.endsWith('ForCausalLM')) {
    throw new SwarmError(
      'UNSUPPORTED',
      `config.json: architectures: ${saved} is a decoder without its encoder, which is not supported`
    )
  }
  const modelType = raw.model_type as BartModelType
  const isBart = modelType === 'bart'
  const encoderBlocks = readCount(raw, ['encoder_layers', 'num_hidden_layers'], 12)
  const end = encoderBlocks + readCount(raw, ['decoder_layers'], 12)
  const hiddenSize = readSizeOf(raw, ['d_model', 'hidden_size'], 1024)
  const numHeads = bothHeads(raw)
  const inner = {
    encoder: readSize(raw, 'encoder_ffn_dim', 4096),
    decoder: readSize(raw, 'decoder_ffn_dim', 4096)
  }
  const { bosTokenId = 0, eosTokenIds, padTokenId = 1 } = readTokens(raw)
  return {
    modelType,
    hiddenSize,
    numBlocks: end,
    stacks: [
      { name: 'encoder', blocks: { first: 0, end: encoderBlocks } },
      { name: 'decoder', blocks: { first: encoderBlocks, end }, crosses: true }
    ],
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: evenHead(hiddenSize, numHeads),
    intermediateSize: Math.max(inner.encoder, inner.decoder),
    vocabSize: readSize(raw, 'vocab_size', 50265),
    maxPositions: readSize(raw, 'max_position_embeddings', 1024),
    normEpsilon: 1e-5,
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    bosTokenId,
    padTokenId,
    eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : [2],
    decoderStartTokenId: readTokenId(raw, 'decoder_start_token_id') ?? (isBart ? 2 : undefined),
    rope: null,
    biasedModules: [],
    attentionBias: true,
    mlpBias: true,
    traits: {
      activation: readActivation('activation_function', readText(raw, 'activation_function', 'gelu')),
      normFirst: !isBart,
      scalesEmbedding: readFlag(raw, 'scale_embedding', false),
      inner,
      // its tensors say so
      logitsBias: false
    },
    raw
  }
}
