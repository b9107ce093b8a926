// P-tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parsePTuningConfig, pTuningFields, pTuningSchema, readPTuningConfig } from './config.ts'
import { createPTuning } from './p-tuning.ts'

export type { PTuningConfig, PTuningSettings } from './config.ts'

export const pTuning: MethodDefinition = {
  isPromptLearning: true,
  schema: pTuningSchema,
  fields: pTuningFields,
  create: async (config, target, options) => createPTuning(parsePTuningConfig(config), target, options),
  read: readPTuningConfig
}
