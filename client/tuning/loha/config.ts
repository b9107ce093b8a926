// The settings of LoHa: ours, and the fields of PEFT's adapter_config.json.
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

export const lohaSchema = z.strictObject({
  peftType: z.literal('LOHA'),
  ...lycorisFields,
  /** true: one factor begins at zero, which changes nothing; false: all at random */
  initWeights: z.boolean().default(true)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type LoHaConfig = z.input<typeof lohaSchema>

/** With defaults. */
export type LoHaSettings = z.output<typeof lohaSchema> & Required<Pick<LycorisSettings, 'targetModules'>>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseLoHaConfig(config: unknown, target: Pick<TuningTarget, 'defaultTargets'>): LoHaSettings {
  const settings = parseBySchema(lohaSchema, config, 'LOHA configuration', 'INVALID_ARGUMENT')
  checkTargetFields(settings, 'LOHA configuration')
  return withDefaultTargets(settings, target)
}

/** What becomes of each field of LoHa's configuration. */
export const lohaFields = lycorisFieldTable satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeLoHaConfig(
  settings: LoHaSettings,
  targetModules: string | readonly string[]
): Record<string, unknown> {
  return { ...writeLycorisFields(settings, targetModules), init_weights: settings.initWeights, peft_type: 'LOHA' }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readLoHaConfig(fields: Readonly<Record<string, unknown>>, file: string): z.output<typeof lohaSchema> {
  const settings = { peftType: 'LOHA', ...readLycorisFields(fields), initWeights: fields.init_weights ?? undefined }
  return parseBySchema(lohaSchema, settings, file, 'BAD_CHECKPOINT')
}
