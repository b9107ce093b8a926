// The settings of LoKr: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import type { FieldTable } from '../fields.ts'
import {
  type LycorisSettings,
  lycorisFields,
  lycorisFieldTable,
  readLycorisFields,
  writeLycorisFields
} from '../lycoris.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, withDefaultTargets } from '../targets.ts'

export const lokrSchema = z.strictObject({
  peftType: z.literal('LOKR'),
  ...lycorisFields,
  /** the left factor may be a low-rank pair, too */
  decomposeBoth: z.boolean().default(false),
  /** the smaller size of a factor: the nearest that divides the module's; -1: near its square root */
  decomposeFactor: z
    .int()
    .refine(value => value === -1 || value >= 1, { error: 'expected -1 or a number from 1 on' })
    .default(-1),
  /** kept rows make up for those that `rankDropout` drops */
  rankDropoutScale: z.boolean().default(false),
  /** true: the left factor begins at zero; 'lycoris': the right one does; false: both at random */
  initWeights: z.union([z.boolean(), z.literal('lycoris')]).default(true)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type LoKrConfig = z.input<typeof lokrSchema>

/** With defaults. */
export type LoKrSettings = z.output<typeof lokrSchema> & Required<Pick<LycorisSettings, 'targetModules'>>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseLoKrConfig(config: unknown, target: Pick<TuningTarget, 'defaultTargets'>): LoKrSettings {
  const settings = parseBySchema(lokrSchema, config, 'LOKR configuration', 'INVALID_ARGUMENT')
  checkTargetFields(settings, 'LOKR configuration')
  return withDefaultTargets(settings, target)
}

/** What becomes of each field of LoKr's configuration. */
export const lokrFields = {
  ...lycorisFieldTable,
  decompose_both: 'read',
  decompose_factor: 'read',
  rank_dropout_scale: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeLoKrConfig(
  settings: LoKrSettings,
  targetModules: string | readonly string[]
): Record<string, unknown> {
  return {
    ...writeLycorisFields(settings, targetModules),
    decompose_both: settings.decomposeBoth,
    decompose_factor: settings.decomposeFactor,
    init_weights: settings.initWeights,
    peft_type: 'LOKR',
    rank_dropout_scale: settings.rankDropoutScale
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readLoKrConfig(fields: Readonly<Record<string, unknown>>, file: string): z.output<typeof lokrSchema> {
  const settings = {
    peftType: 'LOKR',
    ...readLycorisFields(fields),
    decomposeBoth: fields.decompose_both ?? undefined,
    decomposeFactor: fields.decompose_factor ?? undefined,
    rankDropoutScale: fields.rank_dropout_scale ?? undefined,
    initWeights: fields.init_weights ?? undefined
  }
  return parseBySchema(lokrSchema, settings, file, 'BAD_CHECKPOINT')
}
