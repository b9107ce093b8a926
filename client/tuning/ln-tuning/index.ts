// LN tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { lnTuningFields, lnTuningSchema, parseLnTuningConfig, readLnTuningConfig } from './config.ts'
import { createLnTuning } from './ln-tuning.ts'

export type { LnTuningConfig, LnTuningSettings } from './config.ts'

export const lnTuning: MethodDefinition = {
  schema: lnTuningSchema,
  fields: lnTuningFields,
  create: (config, target, options) => createLnTuning(parseLnTuningConfig(config, target), target, options),
  read: readLnTuningConfig
}
