// config.json of the Llama family. Source of fields and defaults: configuration_llama.py, configuration_mistral.py,
// configuration_qwen2.py and configuration_qwen3.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  checkHeads,
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
import { type LayerTypes, readWindows } from '../../config/layer-types.ts'
import { readRope, stretchedPositions } from '../../config/rope-config.ts'
import { checkQuantized } from '../../formats/scale.ts'

const llamaAttentionModules = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj'] as const
const llamaMlpModules = ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'] as const

export type ModuleName = (typeof llamaAttentionModules)[number] | (typeof llamaMlpModules)[number]

export interface LlamaConfig extends ModelConfig {
  readonly rope: RopeConfig
  readonly traits: {
    /** norms of each head's queries and keys */
    readonly headNorms: boolean
    /** of each block: tokens that a token sees, null for all */
    readonly windows: readonly (number | null)[]
  }
}

/** In what the families of Llama's shape differ. */
export interface Variant {
  /** positions where the field is missing */
  readonly maxPositions: number
  /** key/value heads where the field is missing; null where it must be there */
  readonly keyValueHeads: ((numHeads: number) => number) | null
  readonly biased: (raw: RawConfig) => readonly ModuleName[]
  /** which blocks look back less far than to the first token, and how far */
  readonly window: (raw: RawConfig) => LayerTypes | null
  /** width of a head where the field is missing; default hidden size by heads */
  readonly headDim?: number
  readonly headNorms?: true
  /** rope_theta where the field is missing; default 10 000 */
  readonly theta?: number
  /** rms_norm_eps where the field is missing; default 1e-6 */
  readonly normEpsilon?: number
}

const noWindow = () => null

/** Qwen: the first `max_window_layers` blocks see everything. */
function qwenWindow(raw: RawConfig): LayerTypes | null {
  if (!readFlag(raw, 'use_sliding_window', false)) return null
  const first = raw.max_window_layers === 0 ? 0 : readSize(raw, 'max_window_layers', 28)
  return { window: readSize(raw, 'sliding_window', 4096), isSliding: block => block >= first }
}

const variants = {
  llama: {
    maxPositions: 2048,
    keyValueHeads: numHeads => numHeads,
    biased: raw => [
      ...(readFlag(raw, 'attention_bias', false) ? llamaAttentionModules : []),
      ...(readFlag(raw, 'mlp_bias', false) ? llamaMlpModules : [])
    ],
    window: noWindow
  },
  mistral: {
    maxPositions: 131072,
    keyValueHeads: null,
    biased: () => [],
    window: raw => (raw.sliding_window === null ? null : uniformWindow(raw, readSize(raw, 'sliding_window', 4096)))
  },
  qwen2: {
    maxPositions: 32768,
    keyValueHeads: null,
    biased: () => llamaAttentionModules.slice(0, 3),
    window: qwenWindow
  },
  qwen3: {
    maxPositions: 32768,
    keyValueHeads: () => 32,
    biased: raw => (readFlag(raw, 'attention_bias', false) ? llamaAttentionModules : []),
    window: qwenWindow,
    headDim: 128,
    headNorms: true
  }
} as const satisfies Record<string, Variant>

export const llamaModelTypes = Object.keys(variants)

/**
 * The window that all blocks have. transformers takes no notice of `layer_types` in these models; other builds may.
 * Throws UNSUPPORTED where it says something else.
 */
export function uniformWindow(raw: RawConfig, window: number): LayerTypes {
  const { layer_types: listed, model_type: type } = raw
  if (listed == null || (Array.isArray(listed) && listed.every(each => each === 'sliding_attention'))) {
    return { window, isSliding: () => true }
  }
  throw new SwarmError('UNSUPPORTED', `config.json: layer_types of a ${type}: only sliding_attention is supported`)
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseLlamaConfig(raw: RawConfig): LlamaConfig {
  const modelType = readText(raw, 'model_type')
  return readLlama(raw, modelType, variants[modelType as keyof typeof variants])
}

/** The fields that all of Llama's shape have. Throws as `parseConfig`. */
export function readLlama(raw: RawConfig, modelType: string, variant: Variant): LlamaConfig {
  checkQuantized(raw)
  const activation = readText(raw, 'hidden_act', 'silu')
  if (activation !== 'silu') {
    throw new SwarmError('UNSUPPORTED', `config.json: hidden_act '${activation}' is not supported, only 'silu'`)
  }
  const numBlocks = readCount(raw, ['num_hidden_layers'])
  const hiddenSize = readSize(raw, 'hidden_size')
  const numHeads = readSize(raw, 'num_attention_heads')
  const numKeyValueHeads = readSize(raw, 'num_key_value_heads', variant.keyValueHeads?.(numHeads))
  const shared = hiddenSize % numHeads === 0 ? hiddenSize / numHeads : undefined
  const headDim = readSize(raw, 'head_dim', variant.headDim ?? shared)
  const trained = readSize(raw, 'max_position_embeddings', variant.maxPositions)
  checkHeads({ numHeads, numKeyValueHeads, rotated: headDim })
  const rope = readRope(raw, { maxPositions: trained, theta: variant.theta ?? 10_000, rotated: headDim })
  const maxPositions = stretchedPositions(rope, trained)
  const biasedModules = variant.biased(raw)
  return {
    modelType,
    hiddenSize,
    numBlocks,
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'rms_norm_eps', variant.normEpsilon ?? 1e-6),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', false),
    ...readTokens(raw),
    rope,
    biasedModules,
    attentionBias: biasedModules.includes('self_attn.q_proj'),
    mlpBias: biasedModules.includes('mlp.gate_proj'),
    traits: {
      headNorms: variant.headNorms ?? false,
      windows: readWindows(raw, numBlocks, maxPositions, variant.window(raw))
    },
    raw
  }
}
