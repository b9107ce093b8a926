// The rotary embedding of a config.json, whatever its spelling. Source of fields and defaults: modeling_rope_utils.py and
// configuration_utils.py of Hugging Face transformers 5.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
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
  /** base of the angles where no field says one; transformers ignores the top level beside a nested object */
  readonly theta: number
  readonly maxPositions: number
  /** numbers of each head that are rotated */
  readonly rotated: number
  /** what part of each head that is, in a family that has a field for it */
  readonly part?: number
}

type Reader = (fields: RawConfig, defaults: RopeDefaults) => RopeConfig

/** How much yarn raises cos and sin: its own field, else from the factor (arXiv 2309.00071, equation 22). */
function yarnAttention(fields: RawConfig, factor: number): number {
  const from = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
  // zero counts as missing
  const both = Boolean(fields.mscale) && Boolean(fields.mscale_all_dim)
  const implied = both ? from(readPositive(fields, 'mscale')) / from(readPositive(fields, 'mscale_all_dim')) : from(1)
  return readPositive(fields, 'attention_factor', implied)
}

/** A positive number; zero counts as missing. */
const readOr = (fields: RawConfig, field: string, fallback: number): number =>
  fields[field] === 0 ? fallback : readPositive(fields, field, fallback)

const originalOf = (fields: RawConfig, { maxPositions }: RopeDefaults): number =>
  readSize(fields, 'original_max_position_embeddings', maxPositions)

/** A factor for each rotated pair. */
function readFactors(fields: RawConfig, field: string, { rotated }: RopeDefaults): readonly number[] {
  const factors = readPositives(fields, field)
  if (factors.length === rotated / 2) return factors
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `config.json: ${field}: expected ${rotated / 2} factors, one for each rotated pair, found ${factors.length}`
  )
}

/** Beside these there is 'factors', which no config.json has but that of a GGUF file. */
const readers: Readonly<Record<string, Reader>> = {
  default: (_, { theta }) => ({ type: 'default', theta }),
  linear: (fields, { theta }) => ({ type: 'linear', theta, factor: readPositive(fields, 'factor') }),
  dynamic: (fields, { theta, maxPositions }) => ({
    type: 'dynamic',
    theta,
    factor: readPositive(fields, 'factor'),
    originalMaxPositions: maxPositions
  }),
  yarn(fields, defaults) {
    const originalMaxPositions = originalOf(fields, defaults)
    const factor = readPositive(fields, 'factor', defaults.maxPositions / originalMaxPositions)
    return {
      type: 'yarn',
      theta: defaults.theta,
      factor,
      attentionFactor: yarnAttention(fields, factor),
      betaFast: readOr(fields, 'beta_fast', 32),
      betaSlow: readOr(fields, 'beta_slow', 1),
      truncate: readFlag(fields, 'truncate', true),
      originalMaxPositions
    }
  },
  llama3: (fields, defaults) => ({
    type: 'llama3',
    theta: defaults.theta,
    factor: readPositive(fields, 'factor'),
    lowFreqFactor: readPositive(fields, 'low_freq_factor'),
    highFreqFactor: readPositive(fields, 'high_freq_factor'),
    originalMaxPositions: originalOf(fields, defaults)
  }),
  longrope(fields, defaults) {
    const originalMaxPositions = originalOf(fields, defaults)
    const factor = readPositive(fields, 'factor', defaults.maxPositions / originalMaxPositions)
    const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions))
    return {
      type: 'longrope',
      theta: defaults.theta,
      factor,
      attentionFactor: readPositive(fields, 'attention_factor', implied),
      shortFactors: readFactors(fields, 'short_factor', defaults),
      longFactors: readFactors(fields, 'long_factor', defaults),
      originalMaxPositions
    }
  },
  proportional(fields, { theta, rotated }) {
    const part = readPositive(fields, 'partial_rotary_factor', 1)
    const factor = readPositive(fields, 'factor', 1)
    return { type: 'proportional', theta, factor, turnedPairs: Math.floor((part * rotated) / 2) }
  }
}

/** What transformers reads, of any kind; a kind takes no notice of another's. */
const knownFields = [
  'type',
  'rope_type',
  'rope_theta',
  'partial_rotary_factor',
  'factor',
  'original_max_position_embeddings',
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'short_factor',
  'long_factor',
  'low_freq_factor',
  'high_freq_factor',
  'mscale',
  'mscale_all_dim',
  'truncate',
  // says how the numbers were found
  'finetuned'
]

function unsupported(what: string): SwarmError {
  return new SwarmError('UNSUPPORTED', `config.json: ${what}`)
}

function checkFields(fields: RawConfig): void {
  const unknown = Object.keys(fields).find(field => !knownFields.includes(field) && fields[field] != null)
  if (unknown === undefined) return
  throw unsupported(
    `rotary embedding: field ${quoteForeign(unknown).replaceAll('"', "'")} is unknown and could change the angles (known: ${knownFields.join(', ')})`
  )
}

function typeOf(fields: RawConfig): string {
  const old = readText(fields, 'type', '')
  const type = readText(fields, 'rope_type', old === '' ? 'default' : old)
  if (old === '' || old === type) return type
  throw unsupported(`rotary embedding: rope_type '${type}' and type '${old}' contradict each other (keep rope_type)`)
}

/**
 * The rotary embedding that one object describes (`rope_scaling`, `rope_parameters`, or that of one layer type). Throws
 * BAD_CHECKPOINT naming the field, UNSUPPORTED for kinds and fields that are unknown.
 */
export function ropeOf(fields: RawConfig, given: RopeDefaults): RopeConfig {
  const type = typeOf(fields)
  const theta = readPositive(fields, 'rope_theta', given.theta)
  const defaults = { ...given, theta }
  if (type === 'factors') return { type, theta, factors: readFactors(fields, 'factors', defaults) }
  checkFields(fields)
  const reader = Object.hasOwn(readers, type) ? readers[type] : undefined
  if (reader === undefined) {
    throw unsupported(
      `rope type ${quoteForeign(type).replaceAll('"', "'")} is not supported (supported: ${Object.keys(readers).join(', ')})`
    )
  }
  const part = given.part ?? readPositive(fields, 'partial_rotary_factor', 1)
  const isKnown =
    type === 'proportional' ? part <= 1 && (given.part ?? 1) === 1 : given.part !== undefined || part === 1
  if (!isKnown)
    throw unsupported(`partial_rotary_factor ${part} is not supported with this model type and rope type '${type}'`)
  return reader(fields, defaults)
}

/** `rope_scaling` where it says something, else `rope_parameters`: as in transformers, one of them alone. */
function chosenFields(raw: RawConfig): RawConfig {
  const scaling = readObject(raw, 'rope_scaling') ?? {}
  const parameters = readObject(raw, 'rope_parameters') ?? {}
  return Object.keys(scaling).length > 0 ? scaling : parameters
}

/** The same with what older configurations say outside of the object. */
function ropeFields(raw: RawConfig): RawConfig {
  const { original_max_position_embeddings: original, partial_rotary_factor: part } = raw
  const fields = chosenFields(raw)
  return {
    ...(part == null ? {} : { partial_rotary_factor: part }),
    ...fields,
    ...(original == null ? {} : { original_max_position_embeddings: original })
  }
}

/**
 * The rotary embedding of a model whose layers all have the same. `thetaField`: where its base is written outside of the object.
 * Throws as `ropeOf`.
 */
export function readRope(raw: RawConfig, defaults: RopeDefaults, thetaField = 'rope_theta'): RopeConfig {
  return ropeOf(ropeFields(raw), { ...defaults, theta: readPositive(raw, thetaField, defaults.theta) })
}

/** What part of each head is rotated. */
export function readRotatedPart(raw: RawConfig, field: string, fallback: number): number {
  return readPositive(chosenFields(raw), 'partial_rotary_factor', readPositive(raw, field, fallback))
}

/**
 * Longest sequence: `max_position_embeddings`, or what the scaling extends it to. `maxPositions` of Gemma 3 counts its
 * linear scaling already: it does not call this for that.
 */
export function stretchedPositions(rope: RopeConfig | null, maxPositions: number): number {
  switch (rope?.type) {
    case 'linear':
    case 'dynamic':
      return Math.floor(Math.max(rope.factor, 1) * maxPositions)
    case 'yarn':
    case 'longrope':
      return Math.max(maxPositions, Math.floor(rope.factor * rope.originalMaxPositions))
    default:
      return maxPositions
  }
}

/** Positions up to which angles are the same in every sequence; undefined where they never depend on its length. */
export function fixedPositions(rope: RopeConfig | null): number | undefined {
  return rope?.type === 'dynamic' || rope?.type === 'longrope' ? rope.originalMaxPositions : undefined
}
