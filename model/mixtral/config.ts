// config.json of Mixtral. Source of fields and defaults: configuration_mixtral.py of Hugging Face transformers 5.
import { SwarmError } from '../../common/errors.ts'
import {
  checkHeads,
  type RawConfig,
  readFlag,
  readPositive,
  readSize,
  readSizeOf,
  readText,
  readTokens,
  refuseQuantized
} from '../config.ts'
import { readWindows } from '../layer-types.ts'
import type { LlamaConfig } from '../llama/config.ts'
import { readRope } from '../rope-config.ts'

/** Attention is that of Llama. */
export interface MixtralConfig extends LlamaConfig {
  readonly traits: LlamaConfig['traits'] & {
    readonly numExperts: number
    /** experts that work on a token */
    readonly chosen: number
  }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseConfig(raw: RawConfig): MixtralConfig {
  refuseQuantized(raw)
  const activation = readText(raw, 'hidden_act', 'silu')
  if (activation !== 'silu') {
    throw new SwarmError('UNSUPPORTED', `config.json: hidden_act '${activation}' is not supported, only 'silu'`)
  }
  const hiddenSize = readSize(raw, 'hidden_size')
  const numBlocks = readSize(raw, 'num_hidden_layers')
  const numHeads = readSize(raw, 'num_attention_heads')
  const numKeyValueHeads = readSize(raw, 'num_key_value_heads', 8)
  const headDim = readSize(raw, 'head_dim', hiddenSize % numHeads === 0 ? hiddenSize / numHeads : undefined)
  const maxPositions = readSize(raw, 'max_position_embeddings', 131_072)
  checkHeads({ numHeads, numKeyValueHeads, rotated: headDim })
  const numExperts = readSizeOf(raw, ['num_local_experts', 'num_experts'], 8)
  const chosen = readSize(raw, 'num_experts_per_tok', 2)
  if (chosen > numExperts) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: num_experts_per_tok: expected at most ${numExperts}, found ${chosen}`
    )
  }
  const hasWindow = raw.sliding_window !== undefined && raw.sliding_window !== null
  const window = hasWindow ? { window: readSize(raw, 'sliding_window'), isSliding: () => true } : null
  return {
    modelType: 'mixtral',
    hiddenSize,
    numBlocks,
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'rms_norm_eps', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', false),
    ...readTokens(raw),
    rope: readRope(raw, { maxPositions, theta: 1_000_000 }),
    biasedModules: [],
    attentionBias: false,
    mlpBias: false,
    traits: { headNorms: false, windows: readWindows(raw, numBlocks, maxPositions, window), numExperts, chosen },
    raw
  }
}
