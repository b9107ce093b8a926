// The settings of LN tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { isInactive } from '../../../common/foreign-json.ts'
import { commonFields, type FieldTable } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields } from '../targets.ts'
import { lnModules } from './defaults.ts'

const { targetModules, excludeModules, modulesToSave } = targetFields

export const lnTuningSchema = z.strictObject({
  peftType: z.literal('LN_TUNING'),
  /** norms by the end of their names, or one regular expression; default: PEFT's for the model type */
  targetModules,
  excludeModules,
  modulesToSave
})

/** What a user writes: PEFT's names in camel case. */
export type LnTuningConfig = z.input<typeof lnTuningSchema>

type ParsedLnTuningConfig = z.output<typeof lnTuningSchema>

/** With defaults. */
export type LnTuningSettings = ParsedLnTuningConfig & Required<Pick<ParsedLnTuningConfig, 'targetModules'>>

/** Throws INVALID_ARGUMENT with every wrong field, and if PEFT has no default for the model type. */
export function parseLnTuningConfig(config: unknown, { modelType }: Pick<TuningTarget, 'modelType'>): LnTuningSettings {
  const what = 'LN_TUNING configuration'
  const settings = parseBySchema(lnTuningSchema, config, what, 'INVALID_ARGUMENT')
  const targets = settings.targetModules ?? (modelType === undefined ? undefined : lnModules[modelType])
  if (targets === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', `${what}: targetModules has no default for the model type '${modelType}'`)
  }
  return { ...settings, targetModules: targets }
}

/** What becomes of each field of LN tuning's configuration. */
export const lnTuningFields = {
  ...commonFields,
  exclude_modules: 'read',
  modules_to_save: 'read',
  target_modules: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeLnTuningConfig(settings: LnTuningSettings): Record<string, unknown> {
  return {
    exclude_modules: settings.excludeModules ?? null,
    modules_to_save: settings.modulesToSave ?? null,
    peft_type: 'LN_TUNING',
    target_modules: settings.targetModules
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readLnTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): ParsedLnTuningConfig {
  const settings = {
    peftType: 'LN_TUNING',
    targetModules: fields.target_modules ?? undefined,
    ...(isInactive(fields.exclude_modules) ? {} : { excludeModules: fields.exclude_modules }),
    ...(isInactive(fields.modules_to_save) ? {} : { modulesToSave: fields.modules_to_save })
  }
  return parseBySchema(lnTuningSchema, settings, file, 'BAD_CHECKPOINT')
}
