// config.json of Gemma, Gemma 2 and the text part of Gemma 3. Source of fields and defaults: configuration_gemma.py,
// configuration_gemma2.py and configuration_gemma3.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import {
  checkHeads,
  type ModelConfig,
  type RawConfig,
  type RopeConfig,
  readCount,
  readFlag,
  readObject,
  readPositive,
  readPositiveOrNull,
  readSize,
  readText,
  readTokens
} from '../../config/config.ts'
import { type LayerTypes, readWindows } from '../../config/layer-types.ts'
import { fixedPositions, type RopeDefaults, readRope, ropeOf, stretchedPositions } from '../../config/rope-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

const gemmaAttentionModules = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj'] as const

export interface GemmaConfig extends ModelConfig {
  readonly rope: RopeConfig
  readonly traits: {
    readonly activation: Activation
    /** of scores */
    readonly scale: number
    readonly softcap: number | null
    /** of logits */
    readonly logitSoftcap: number | null
    /** norms of each head's queries and keys */
    readonly headNorms: boolean
    /** norms after attention and MLP, too */
    readonly outerNorms: boolean
    /** of each block: whether it is local, by its own angles where the model has two kinds */
    readonly isLocal: readonly boolean[]
    readonly windows: readonly (number | null)[]
    /** angles of local blocks; null: as in the others */
    readonly localRope: RopeConfig | null
  }
}

interface Variant {
  readonly maxPositions: number
  /** one in this many blocks attends to all tokens */
  readonly pattern: (raw: RawConfig) => number
  readonly activation: (raw: RawConfig) => string
  /** where scores are not scaled by the width of a head */
  readonly scaledBy?: number
  readonly softcap: number | null
  readonly logitSoftcap: number | null
  readonly headNorms: boolean
  readonly outerNorms: boolean
}

const tanhGelu = 'gelu_pytorch_tanh'
const activationOf = (raw: RawConfig): string => readText(raw, 'hidden_activation', tanhGelu)

const variants: Readonly<Record<string, Variant>> = {
  gemma: {
    maxPositions: 8192,
    pattern: () => 1,
    // published as `gelu`, meant as its approximation
    activation: raw => readText(raw, 'hidden_act', tanhGelu).replace(/^gelu$/, tanhGelu),
    softcap: null,
    logitSoftcap: null,
    headNorms: false,
    outerNorms: false
  },
  gemma2: {
    maxPositions: 8192,
    pattern: () => 2,
    activation: activationOf,
    scaledBy: 256,
    softcap: 50,
    logitSoftcap: 30,
    headNorms: false,
    outerNorms: true
  },
  gemma3_text: {
    maxPositions: 131_072,
    pattern: raw => readSize(raw, 'sliding_window_pattern', 6),
    activation: activationOf,
    scaledBy: 256,
    softcap: null,
    logitSoftcap: null,
    headNorms: true,
    outerNorms: true
  }
}

/** Gemma 3 with eyes holds the text part's configuration in its own, where some fields go without saying. */
const withVision = 'gemma3'

export const gemmaModelTypes = [...Object.keys(variants), withVision]

/** The configuration of the text part. Its tensors' names lack the prefix that those of the whole have. */
function textConfig(raw: RawConfig): RawConfig {
  if (raw.model_type !== withVision) return raw
  const fields = readObject(raw, 'text_config') ?? {}
  const defaults = { num_attention_heads: 8, num_key_value_heads: 4, vocab_size: 262_208 }
  const { bos_token_id, eos_token_id, pad_token_id, quantization_config } = raw
  const outer = { bos_token_id, eos_token_id, pad_token_id, quantization_config }
  // of the whole model, whatever the text part says
  const tied = raw.tie_word_embeddings ?? true
  return { ...defaults, ...outer, ...fields, tie_word_embeddings: tied, model_type: 'gemma3_text' }
}

interface Ropes {
  readonly rope: RopeConfig
  /** of local blocks; null where they have the same */
  readonly local: RopeConfig | null
}

const layerTypes = ['full_attention', 'sliding_attention'] as const

/** Angles of global and local blocks, as Gemma3TextConfig reads them: `rope_scaling` changes those of global blocks. */
function readTwoRopes(raw: RawConfig, sizes: Pick<RopeDefaults, 'maxPositions' | 'rotated'>): Ropes {
  const nested = readObject(raw, 'rope_parameters') ?? {}
  const flat = Object.keys(nested).find(key => !(layerTypes as readonly string[]).includes(key))
  if (flat !== undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: rope_parameters: expected ${layerTypes.join(' and ')}, found '${flat}' (a scaling of global blocks may be written as rope_scaling)`
    )
  }
  const [full, sliding] = layerTypes.map(type => readObject(nested, type) ?? {})
  const isOld = Object.keys(nested).length === 0
  const scaled: RawConfig = { ...(isOld ? { rope_type: 'default' } : {}), ...full, ...readObject(raw, 'rope_scaling') }
  const local = ropeOf(sliding!, { ...sizes, theta: readPositive(raw, 'rope_local_base_freq', 10_000) })
  if (fixedPositions(local) !== undefined || [scaled, sliding].some(fields => fields?.truncate === false)) {
    throw new SwarmError(
      'UNSUPPORTED',
      `config.json: rotary embedding of layer types: neither 'truncate': false nor, for local blocks, rope type '${local.type}' is supported`
    )
  }
  return { rope: ropeOf(scaled, { ...sizes, theta: readPositive(raw, 'rope_theta', 1_000_000) }), local }
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseGemmaConfig(given: RawConfig): GemmaConfig {
  const raw = textConfig(given)
  checkQuantized(raw)
  if (readFlag(raw, 'use_bidirectional_attention', false)) {
    throw new SwarmError('UNSUPPORTED', 'config.json: use_bidirectional_attention is not supported')
  }
  const modelType = readText(raw, 'model_type')
  const variant = variants[modelType]!
  const numBlocks = readCount(raw, ['num_hidden_layers'])
  const numHeads = readSize(raw, 'num_attention_heads')
  const numKeyValueHeads = readSize(raw, 'num_key_value_heads')
  const headDim = readSize(raw, 'head_dim', 256)
  const trained = readSize(raw, 'max_position_embeddings', variant.maxPositions)
  checkHeads({ numHeads, numKeyValueHeads, rotated: headDim })
  const pattern = variant.pattern(raw)
  const types: LayerTypes = {
    window: readSize(raw, 'sliding_window', 4096),
    isSliding: block => (block + 1) % pattern !== 0
  }
  const sizes = { maxPositions: trained, rotated: headDim }
  const { rope, local }: Ropes = variant.headNorms
    ? readTwoRopes(raw, sizes)
    : { rope: readRope(raw, { ...sizes, theta: 10_000 }), local: null }
  // the positions of Gemma 3 are those that its linear scaling reaches
  const maxPositions = local !== null && rope.type === 'linear' ? trained : stretchedPositions(rope, trained)
  const attentionBias = readFlag(raw, 'attention_bias', false)
  return {
    modelType,
    hiddenSize: readSize(raw, 'hidden_size'),
    numBlocks,
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size'),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'rms_norm_eps', 1e-6),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope,
    biasedModules: attentionBias ? gemmaAttentionModules : [],
    attentionBias,
    mlpBias: false,
    traits: {
      activation: readActivation('hidden_activation', variant.activation(raw)),
      scale: readPositive(raw, 'query_pre_attn_scalar', variant.scaledBy ?? headDim) ** -0.5,
      softcap: readPositiveOrNull(raw, 'attn_logit_softcapping', variant.softcap),
      logitSoftcap: readPositiveOrNull(raw, 'final_logit_softcapping', variant.logitSoftcap),
      headNorms: variant.headNorms,
      outerNorms: variant.outerNorms,
      isLocal: readWindows(raw, numBlocks, Number.MAX_SAFE_INTEGER, types).map(window => window !== null),
      windows: readWindows(raw, numBlocks, maxPositions, types),
      localRope: local
    },
    raw: given
  }
}
