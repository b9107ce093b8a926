// What LoHa and LoKr share: PEFT's settings of LyCORIS adapters, and the dropout of rows and of whole modules.
import { z } from 'zod'
import { createRandom } from '../../common/random.ts'
import { commonFields, type FieldTable, present } from './fields.ts'
import type { BlockTarget } from './linear-targets.ts'
import { patternValue, targetFields } from './targets.ts'

export const lycorisFields = {
  /** rank of the factors */
  r: z.int().min(1).default(8),
  /** what is added counts `alpha / r` */
  alpha: z.number().default(8),
  /** probability with which training drops a row of what is added to a weight */
  rankDropout: z.number().min(0).lt(1).default(0),
  /** probability with which training leaves a module as it is */
  moduleDropout: z.number().min(0).lt(1).default(0),
  ...targetFields,
  /** rank of modules that have another, by the end of a module's name or a regular expression */
  rankPattern: z.record(z.string(), z.int().min(1)).optional(),
  /** `alpha` of modules that have another */
  alphaPattern: z.record(z.string(), z.number()).optional()
}

const lycorisSchema = z.object(lycorisFields)

export type LycorisSettings = z.output<typeof lycorisSchema>

/** What becomes of the fields of adapter_config.json. */
export const lycorisFieldTable = {
  ...commonFields,
  alpha: 'read',
  alpha_pattern: 'read',
  exclude_modules: 'read',
  init_weights: 'read',
  layers_pattern: 'read',
  layers_to_transform: 'read',
  module_dropout: 'read',
  modules_to_save: 'read',
  r: 'read',
  rank_dropout: 'read',
  rank_pattern: 'read',
  target_modules: 'read',
  // of convolutions
  use_effective_conv2d: 'idle'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeLycorisFields(
  settings: LycorisSettings,
  targetModules: string | readonly string[]
): Record<string, unknown> {
  return {
    alpha: settings.alpha,
    alpha_pattern: settings.alphaPattern ?? {},
    exclude_modules: settings.excludeModules ?? null,
    layers_pattern: settings.layersPattern ?? null,
    layers_to_transform: settings.layersToTransform ?? null,
    module_dropout: settings.moduleDropout,
    modules_to_save: settings.modulesToSave ?? null,
    r: settings.r,
    rank_dropout: settings.rankDropout,
    rank_pattern: settings.rankPattern ?? {},
    target_modules: targetModules,
    use_effective_conv2d: false
  }
}

/** The settings in an adapter_config.json, to be validated. */
export function readLycorisFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    r: fields.r,
    alpha: fields.alpha,
    rankDropout: fields.rank_dropout ?? undefined,
    moduleDropout: fields.module_dropout ?? undefined,
    targetModules: fields.target_modules ?? undefined,
    excludeModules: present(fields.exclude_modules),
    layersToTransform: fields.layers_to_transform ?? undefined,
    layersPattern: present(fields.layers_pattern),
    modulesToSave: present(fields.modules_to_save),
    rankPattern: present(fields.rank_pattern),
    alphaPattern: present(fields.alpha_pattern)
  }
}

/** Rank and scaling of a module. */
export function lycorisRank(settings: LycorisSettings, path: string): { r: number; scaling: number } {
  const { rankPattern = {}, alphaPattern = {} } = settings
  const r = patternValue(rankPattern, path, 'rankPattern', settings.r)
  const alpha = patternValue(alphaPattern, path, 'alphaPattern', settings.alpha)
  return { r, scaling: alpha / r }
}

/** What a pass of training leaves of a module: 0 where it is dropped whole; null: all of it. */
export type Kept = number | Float32Array

/**
 * Factors of the rows [out] of what is added to a module's weight, or one for all of them. `scaled`: the kept rows make up for those that
 * are dropped.
 */
export function keptRows(
  { rankDropout, moduleDropout }: Pick<LycorisSettings, 'rankDropout' | 'moduleDropout'>,
  { module, stream }: BlockTarget,
  seed: number,
  scaled: boolean
): Kept {
  const random = createRandom(seed, ...stream)
  // PEFT keeps what is above the probability
  if (random.uniform() < moduleDropout) return 0
  if (rankDropout === 0) return 1
  const kept = Float32Array.from({ length: module.outFeatures }, () => (random.uniform() < rankDropout ? 0 : 1))
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length
  return scaled && mean > 0 ? kept.map(value => value / mean) : kept
}

/** The rows [out, columns] of a matrix times their factors. */
export function scaleRows(data: Float32Array, factors: Kept, scaling: number): Float32Array<ArrayBuffer> {
  if (typeof factors === 'number') return Float32Array.from(data, value => value * factors * scaling)
  const columns = data.length / factors.length
  return Float32Array.from(data, (value, index) => value * factors[Math.floor(index / columns)]! * scaling)
}
