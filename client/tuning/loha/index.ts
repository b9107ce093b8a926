// LoHa as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { lohaFields, lohaSchema, parseLoHaConfig, readLoHaConfig } from './config.ts'
import { createLoHa } from './loha.ts'

export type { LoHaConfig, LoHaSettings } from './config.ts'

export const loha: MethodDefinition = {
  schema: lohaSchema,
  fields: lohaFields,
  create: async (config, target, options) => createLoHa(parseLoHaConfig(config, target), target, options),
  read: readLoHaConfig
}
