// config.json of the Llama family. Source of fields and defaults: configuration_llama.py, configuration_mistral.py and
// configuration_qwen2.py of Hugging Face transformers 5.
import { SwarmError } from '../../common/errors.ts'
import {
  type ModelConfig,
  type RawConfig,
  readFlag,
  readPositive,
  readRope,
  readSize,
  readText,
  readTokenIds
} from '../config.ts'

export const attentionModules = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj'
] as const
export const mlpModules = ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'] as const

export type ModuleName = (typeof attentionModules)[number] | (typeof mlpModules)[number]

interface Variant {
  /** positions where the field is missing */
  readonly maxPositions: number
  /** key/value heads where the field is missing; null where it must be there */
  readonly keyValueHeads: ((numHeads: number) => number) | null
  readonly biased: (raw: RawConfig) => readonly ModuleName[]
  /** tokens that attention looks back, null for all */
  readonly window: (raw: RawConfig) => number | null
}

const noWindow = () => null

const variants = {
  llama: {
    maxPositions: 2048,
    keyValueHeads: numHeads => numHeads,
    biased: raw => [
      ...(readFlag(raw, 'attention_bias', false) ? attentionModules : []),
      ...(readFlag(raw, 'mlp_bias', false) ? mlpModules : [])
    ],
    window: noWindow
  },
  mistral: {
    maxPositions: 131072,
    keyValueHeads: null,
    biased: () => [],
    window: raw => (raw.sliding_window === null ? null : readSize(raw, 'sliding_window', 4096))
  },
  qwen2: {
    maxPositions: 32768,
    keyValueHeads: null,
    biased: () => attentionModules.slice(0, 3),
    window: raw => (readFlag(raw, 'use_sliding_window', false) ? readSize(raw, 'sliding_window', 4096) : null)
  }
} as const satisfies Record<string, Variant>

export const modelTypes = Object.keys(variants)

function inconsistent(what: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `config.json: ${what}`)
}

function refuseUnsupported(raw: RawConfig, window: number | null, maxPositions: number): void {
  const activation = readText(raw, 'hidden_act', 'silu')
  if (activation !== 'silu') {
    throw new SwarmError('UNSUPPORTED', `config.json: hidden_act '${activation}' is not supported, only 'silu'`)
  }
  if (raw.quantization_config !== undefined && raw.quantization_config !== null) {
    throw new SwarmError(
      'UNSUPPORTED',
      'config.json: quantized checkpoints are not supported (use the original weights)'
    )
  }
  if (window !== null && window < maxPositions) {
    throw new SwarmError(
      'UNSUPPORTED',
      `config.json: sliding_window ${window} below ${maxPositions} positions is not supported`
    )
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseConfig(raw: RawConfig): ModelConfig {
  const modelType = readText(raw, 'model_type')
  const variant: Variant = variants[modelType as keyof typeof variants]
  const hiddenSize = readSize(raw, 'hidden_size')
  const numHeads = readSize(raw, 'num_attention_heads')
  const numKeyValueHeads = readSize(raw, 'num_key_value_heads', variant.keyValueHeads?.(numHeads))
  const headDim = readSize(raw, 'head_dim', hiddenSize % numHeads === 0 ? hiddenSize / numHeads : undefined)
  const maxPositions = readSize(raw, 'max_position_embeddings', variant.maxPositions)
  if (numHeads % numKeyValueHeads !== 0) {
    throw inconsistent(`${numHeads} attention heads cannot share ${numKeyValueHeads} key/value heads evenly`)
  }
  if (headDim % 2 !== 0) throw inconsistent(`head_dim: expected an even number for rotary embedding, found ${headDim}`)
  refuseUnsupported(raw, variant.window(raw), maxPositions)
  const biasedModules = variant.biased(raw)
  return {
    modelType,
    hiddenSize,
    numBlocks: readSize(raw, 'num_hidden_layers'),
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'rms_norm_eps', 1e-6),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', false),
    bosTokenId: readTokenIds(raw, 'bos_token_id')[0],
    eosTokenIds: readTokenIds(raw, 'eos_token_id'),
    padTokenId: readTokenIds(raw, 'pad_token_id')[0],
    rope: readRope(raw, maxPositions, 10_000),
    biasedModules,
    attentionBias: biasedModules.includes('self_attn.q_proj'),
    mlpBias: biasedModules.includes('mlp.gate_proj'),
    raw
  }
}
