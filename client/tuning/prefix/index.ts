// Prefix tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parsePrefixTuningConfig, prefixFields, prefixSchema, readPrefixTuningConfig } from './config.ts'
import { createPrefix } from './prefix.ts'

export type { PrefixTuningConfig, PrefixTuningSettings } from './config.ts'

export const prefix: MethodDefinition = {
  isPromptLearning: true,
  schema: prefixSchema,
  fields: prefixFields,
  create: async (config, target, options) => createPrefix(parsePrefixTuningConfig(config), target, options),
  read: readPrefixTuningConfig
}
