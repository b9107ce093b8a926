// A model's configuration, whatever spelling its config.json uses. Knows fields and their types, no architecture.
import { SwarmError } from '../common/errors.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/** Rotary position embedding: how the angle of a position is scaled. */
export type RopeConfig =
  | { readonly type: 'default'; readonly theta: number }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly theta: number
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      /** positions that the unscaled model was trained for */
      readonly originalMaxPositions: number
    }

export interface ModelConfig {
  /** `model_type` of config.json */
  readonly modelType: string
  readonly hiddenSize: number
  readonly numBlocks: number
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly intermediateSize: number
  readonly vocabSize: number
  /** longest sequence that the model was made for */
  readonly maxPositions: number
  readonly normEpsilon: number
  /** the head is the transposed embedding matrix */
  readonly tiedEmbeddings: boolean
  readonly bosTokenId?: number
  /** any of these ends a generation; may be empty */
  readonly eosTokenIds: readonly number[]
  readonly padTokenId?: number
  readonly rope: RopeConfig
  /** linear modules of a block that have a bias, by their name in the block: `self_attn.q_proj` */
  readonly biasedModules: readonly string[]
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  /** config.json as it was */
  readonly raw: unknown
}

export type RawConfig = JsonObject

function fault(field: string, expected: string, found: unknown): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `config.json: ${field}: expected ${expected}, found ${JSON.stringify(found)}`)
}

/** A field's value, where null and a missing field are the same, as in Hugging Face's configurations. */
function fieldOf(raw: RawConfig, field: string): unknown {
  return Object.hasOwn(raw, field) ? (raw[field] ?? undefined) : undefined
}

/** A positive whole number. Throws BAD_CHECKPOINT where it is missing without a fallback, or something else. */
export function readSize(raw: RawConfig, field: string, fallback?: number): number {
  const value = fieldOf(raw, field) ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw fault(field, 'a positive whole number', value)
  return value as number
}

/** A positive finite number. */
export function readPositive(raw: RawConfig, field: string, fallback?: number): number {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) throw fault(field, 'a positive number', value)
  return value
}

export function readFlag(raw: RawConfig, field: string, fallback: boolean): boolean {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'boolean') throw fault(field, 'true or false', value)
  return value
}

export function readText(raw: RawConfig, field: string, fallback?: string): string {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'string') throw fault(field, 'text', value)
  return value
}

/** Token ids written as a number or as a list of numbers. */
export function readTokenIds(raw: RawConfig, field: string): number[] {
  const value = fieldOf(raw, field) ?? []
  const ids: unknown[] = Array.isArray(value) ? value : [value]
  if (!ids.every(id => Number.isSafeInteger(id))) throw fault(field, 'a token id or a list of them', value)
  return ids as number[]
}

function readObject(raw: RawConfig, field: string): RawConfig | undefined {
  const value = fieldOf(raw, field)
  if (value !== undefined && !isJsonObject(value)) throw fault(field, 'an object', value)
  return value
}

/**
 * The rotary embedding from either spelling: `rope_theta` beside `rope_scaling` (where the type may be called `type`),
 * or `rope_parameters` with everything in one object.
 * Throws UNSUPPORTED for scalings other than default, linear and llama3, and for rotation of a part of the head.
 */
export function readRope(raw: RawConfig, maxPositions: number, defaultTheta: number): RopeConfig {
  const fields = readObject(raw, 'rope_parameters') ?? readObject(raw, 'rope_scaling') ?? {}
  const theta = readPositive(fields, 'rope_theta', readPositive(raw, 'rope_theta', defaultTheta))
  const type = readText(fields, 'rope_type', readText(fields, 'type', 'default'))
  const rotated = readPositive(fields, 'partial_rotary_factor', readPositive(raw, 'partial_rotary_factor', 1))
  if (rotated !== 1) {
    throw new SwarmError('UNSUPPORTED', `config.json: partial_rotary_factor ${rotated} is not supported, only 1`)
  }
  if (type === 'default') return { type, theta }
  if (type === 'linear') return { type, theta, factor: readPositive(fields, 'factor') }
  if (type === 'llama3') {
    return {
      type,
      theta,
      factor: readPositive(fields, 'factor'),
      lowFreqFactor: readPositive(fields, 'low_freq_factor'),
      highFreqFactor: readPositive(fields, 'high_freq_factor'),
      originalMaxPositions: readSize(fields, 'original_max_position_embeddings', maxPositions)
    }
  }
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: rope type '${type}' is not supported (supported: default, linear, llama3)`
  )
}

/** Special tokens of generation_config.json go before those of config.json, as in Hugging Face's generate. */
export function withGenerationConfig(config: ModelConfig, raw: RawConfig): ModelConfig {
  const eosTokenIds = readTokenIds(raw, 'eos_token_id')
  const [bosTokenId = config.bosTokenId] = readTokenIds(raw, 'bos_token_id')
  const [padTokenId = config.padTokenId] = readTokenIds(raw, 'pad_token_id')
  return { ...config, bosTokenId, padTokenId, eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : config.eosTokenIds }
}
