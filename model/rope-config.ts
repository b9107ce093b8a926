// The rotary embedding of a config.json, whatever its spelling. Source of fields and defaults: modeling_rope_utils.py of
// Hugging Face transformers 5.
import { SwarmError } from '../common/errors.ts'
import {
  type RawConfig,
  type RopeConfig,
  readFlag,
  readObject,
  readPositive,
  readPositives,
  readSize,
  readText
} from './config.ts'

export interface RopeDefaults {
  readonly theta: number
  readonly maxPositions: number
}

/** Beside these there is 'factors', which no config.json has but that of a GGUF file. */
const supported = ['default', 'linear', 'dynamic', 'yarn', 'llama3']

/** How much yarn raises cos and sin: its own field, else from the factor (arXiv 2309.00071, equation 22). */
function attentionFactor(fields: RawConfig, factor: number): number {
  const from = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
  const both = fields.mscale != null && fields.mscale_all_dim != null
  const implied = both ? from(readPositive(fields, 'mscale')) / from(readPositive(fields, 'mscale_all_dim')) : from(1)
  return readPositive(fields, 'attention_factor', implied)
}

/**
 * Reads `rope_theta` beside `rope_scaling` (where the type may be called `type`), or `rope_parameters` with everything in one
 * object. Throws UNSUPPORTED for other scalings than those that we compute.
 */
export function readRope(raw: RawConfig, { theta: defaultTheta, maxPositions }: RopeDefaults): RopeConfig {
  const fields = readObject(raw, 'rope_parameters') ?? readObject(raw, 'rope_scaling') ?? {}
  const theta = readPositive(fields, 'rope_theta', readPositive(raw, 'rope_theta', defaultTheta))
  const type = readText(fields, 'rope_type', readText(fields, 'type', 'default'))
  const originalMaxPositions = () => readSize(fields, 'original_max_position_embeddings', maxPositions)
  if (type === 'default') return { type, theta }
  if (type === 'linear') return { type, theta, factor: readPositive(fields, 'factor') }
  if (type === 'factors') return { type, theta, factors: readPositives(fields, 'factors') }
  if (type === 'dynamic') {
    return { type, theta, factor: readPositive(fields, 'factor'), originalMaxPositions: maxPositions }
  }
  if (type === 'yarn') {
    const original = originalMaxPositions()
    const factor = readPositive(fields, 'factor', maxPositions / original)
    return {
      type,
      theta,
      factor,
      attentionFactor: attentionFactor(fields, factor),
      betaFast: readPositive(fields, 'beta_fast', 32),
      betaSlow: readPositive(fields, 'beta_slow', 1),
      truncate: readFlag(fields, 'truncate', true),
      originalMaxPositions: original
    }
  }
  if (type === 'llama3') {
    return {
      type,
      theta,
      factor: readPositive(fields, 'factor'),
      lowFreqFactor: readPositive(fields, 'low_freq_factor'),
      highFreqFactor: readPositive(fields, 'high_freq_factor'),
      originalMaxPositions: originalMaxPositions()
    }
  }
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: rope type '${type}' is not supported (supported: ${supported.join(', ')})`
  )
}

/** Longest sequence: what config.json says, and with dynamic scaling so many times that. */
export function stretchedPositions(rope: RopeConfig | null, maxPositions: number): number {
  return rope?.type === 'dynamic' ? Math.floor(Math.max(rope.factor, 1) * maxPositions) : maxPositions
}

/** What part of each head is rotated. */
export function readRotatedPart(raw: RawConfig, field: string, fallback: number): number {
  const fields = readObject(raw, 'rope_parameters') ?? {}
  return readPositive(fields, 'partial_rotary_factor', readPositive(raw, field, fallback))
}
