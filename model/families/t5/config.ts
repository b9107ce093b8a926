// config.json of T5, mT5 and UMT5. Source of fields and defaults: configuration_t5.py, configuration_mt5.py and configuration_umt5.py of
// Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  type ModelConfig,
  type RawConfig,
  readCount,
  readFlag,
  readPositive,
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
import { checkRelativeBias } from '../../layers/relative-bias.ts'

const t5ModelTypes = ['t5', 'mt5', 'umt5'] as const
type T5ModelType = (typeof t5ModelTypes)[number]

export interface T5Config extends ModelConfig {
  readonly stacks: readonly Stack[]
  readonly traits: {
    readonly activation: Activation
    /** the feed-forward layer multiplies with a second projection (T5 v1.1, FLAN) */
    readonly gated: boolean
    readonly buckets: number
    readonly maxDistance: number
    /** every block has a table of relative biases; else the first of a stack has one for all */
    readonly ownTables: boolean
    /** states are multiplied with 1 / sqrt(hidden size) before the head */
    readonly scalesOutputs: boolean
  }
}

/** Biases by distance hold for any length: what bounds a sequence is memory. */
const maxPositions = 16_384

/** Classes of transformers that have an encoder only. */
const encoderClasses = /(EncoderModel|ForTokenClassification)$/

/** `gated-silu` or `relu`. Throws BAD_CHECKPOINT. */
function readFeedForward(raw: RawConfig, fallback: string): { gated: boolean; activation: Activation } {
  const field = 'feed_forward_proj'
  const text = readText(raw, field, fallback)
  const [first, second, ...more] = text.split('-')
  if (more.length > 0 || (second !== undefined && first !== 'gated')) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: ${field}: expected an activation or 'gated-' before one, found '${text}'`
    )
  }
  // 'gated-gelu' is that of T5 v1.1, which approximates it
  const name = text === 'gated-gelu' ? 'gelu_new' : (second ?? first!)
  // transformers writes what the field means beside it, and that counts
  const written = readText(raw, 'dense_act_fn', name)
  return {
    gated: readFlag(raw, 'is_gated_act', second !== undefined),
    activation: readActivation(written === name ? field : 'dense_act_fn', written)
  }
}

/** The encoder's blocks before the decoder's; the encoder alone where the class has no decoder. */
function readStacks(raw: RawConfig): readonly Stack[] {
  const end = readCount(raw, ['num_layers', 'num_hidden_layers'])
  const encoder: Stack = { name: 'encoder', blocks: { first: 0, end } }
  if (encoderClasses.test(savedClass(raw) ?? '')) return [encoder]
  const decoderBlocks = readCount(raw, ['num_decoder_layers'], end)
  return [encoder, { name: 'decoder', blocks: { first: end, end: end + decoderBlocks }, crosses: true }]
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseT5Config(raw: RawConfig): T5Config {
  checkQuantized(raw)
  const modelType = raw.model_type as T5ModelType
  const isOriginal = modelType === 't5'
  const stacks = readStacks(raw)
  const numHeads = readSizeOf(raw, ['num_heads', 'num_attention_heads'], isOriginal ? 8 : 6)
  const relative = {
    buckets: readSize(raw, 'relative_attention_num_buckets', 32),
    maxDistance: readSize(raw, 'relative_attention_max_distance', 128)
  }
  for (const { name } of stacks) checkRelativeBias(relative, name === 'encoder')
  const { bosTokenId, eosTokenIds, padTokenId = 0 } = readTokens(raw)
  return {
    modelType,
    hiddenSize: readSizeOf(raw, ['d_model', 'hidden_size']),
    numBlocks: stacks.at(-1)!.blocks.end,
    stacks,
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: readSizeOf(raw, ['d_kv', 'head_dim'], 64),
    intermediateSize: readSize(raw, 'd_ff', isOriginal ? 2048 : 1024),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'layer_norm_epsilon', 1e-6),
    // what the field says is whether outputs are scaled: a head of its own is known by its tensor
    tiedEmbeddings: true,
    bosTokenId,
    padTokenId,
    eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : [1],
    decoderStartTokenId: readTokenId(raw, 'decoder_start_token_id') ?? (isOriginal ? undefined : 0),
    rope: null,
    biasedModules: [],
    attentionBias: false,
    mlpBias: false,
    traits: {
      ...readFeedForward(raw, isOriginal ? 'relu' : 'gated-gelu'),
      ...relative,
      ownTables: modelType === 'umt5',
      scalesOutputs: modelType !== 'mt5' && readFlag(raw, 'scale_decoder_outputs', raw.tie_word_embeddings !== false)
    },
    raw
  }
}
