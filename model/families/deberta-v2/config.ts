// config.json of DeBERTa v2 and v3. Source of fields and defaults: configuration_deberta_v2.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
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
import { refuseDecoder, refuseField } from '../../config/encoder-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import type { DistanceRanges } from '../../layers/disentangled.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

export interface DebertaConfig extends ModelConfig {
  readonly traits: {
    readonly activation: Activation
    /** how distances are told apart; null: attention knows none */
    readonly distances: DistanceRanges | null
    /** the table of distances is normed */
    readonly normsTable: boolean
    /** what distances are to queries, and to keys */
    readonly kinds: readonly ('c2p' | 'p2c')[]
    /** keys and queries of distances are made by the matrices of those of tokens */
    readonly sharesKeys: boolean
    readonly placesInput: boolean
    /** rows of the matrix of token types; 0: no such matrix */
    readonly tokenTypes: number
    readonly embeddingWidth: number
    readonly pooler: Activation
    readonly poolerWidth: number
    /** the head for masked tokens is BERT's, not the one that the model was trained with */
    readonly legacyHead: boolean
  }
}

/** A whole number where -1, 0 and a missing field mean that there is none. */
function readIfPositive(raw: RawConfig, field: string): number | null {
  const value = raw[field] ?? undefined
  return value === undefined || (typeof value === 'number' && value <= 0) ? null : readSize(raw, field)
}

/** `p2c|c2p`, or a list. Others are passed over, as in transformers. */
function readKinds(raw: RawConfig): readonly ('c2p' | 'p2c')[] {
  const value = raw.pos_att_type ?? []
  const names = typeof value === 'string' ? value.toLowerCase().split('|') : value
  if (!Array.isArray(names) || !names.every(name => typeof name === 'string')) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: pos_att_type: expected c2p and p2c, found ${quoteForeign(value)}`
    )
  }
  const given = names.map(name => name.trim())
  return (['c2p', 'p2c'] as const).filter(kind => given.includes(kind))
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseDebertaConfig(raw: RawConfig): DebertaConfig {
  checkQuantized(raw)
  refuseDecoder(raw)
  const hiddenSize = readSize(raw, 'hidden_size', 1536)
  const numHeads = readSize(raw, 'num_attention_heads', 24)
  const numBlocks = readCount(raw, ['num_hidden_layers'], 24)
  const headDim = evenHead(hiddenSize, numHeads)
  // a convolution beside the first block (v2 in its sizes xlarge and xxlarge)
  if (readIfPositive(raw, 'conv_kernel_size') !== null) refuseField('conv_kernel_size', raw.conv_kernel_size)
  if (readSize(raw, 'attention_head_size', headDim) !== headDim)
    refuseField('attention_head_size', raw.attention_head_size)
  const maxPositions = readSize(raw, 'max_position_embeddings', 512)
  const maxDistance = readIfPositive(raw, 'max_relative_positions') ?? maxPositions
  const buckets = readIfPositive(raw, 'position_buckets')
  if (buckets !== null && (buckets < 4 || maxDistance - 1 <= buckets / 2)) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: position_buckets: expected 4 to ${2 * (maxDistance - 2)}, found ${buckets}`
    )
  }
  const relative = readFlag(raw, 'relative_attention', false)
  const norms = readText(raw, 'norm_rel_ebd', 'none').toLowerCase().split('|')
  return {
    modelType: 'deberta-v2',
    hiddenSize,
    numBlocks,
    stacks: [{ name: 'encoder', blocks: { first: 0, end: numBlocks } }],
    numHeads,
    numKeyValueHeads: numHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size', 6144),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'layer_norm_eps', 1e-7),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope: null,
    biasedModules: [],
    attentionBias: true,
    mlpBias: true,
    traits: {
      activation: readActivation('hidden_act', readText(raw, 'hidden_act', 'gelu')),
      distances: relative ? { span: buckets ?? maxDistance, buckets, maxDistance } : null,
      normsTable: norms.some(name => name.trim() === 'layer_norm'),
      kinds: readKinds(raw),
      sharesKeys: readFlag(raw, 'share_att_key', false),
      placesInput: readFlag(raw, 'position_biased_input', true),
      tokenTypes: readIfPositive(raw, 'type_vocab_size') ?? 0,
      embeddingWidth: readSize(raw, 'embedding_size', hiddenSize),
      pooler: readActivation('pooler_hidden_act', readText(raw, 'pooler_hidden_act', 'gelu')),
      poolerWidth: readSize(raw, 'pooler_hidden_size', hiddenSize),
      legacyHead: readFlag(raw, 'legacy', true)
    },
    raw
  }
}
