// LoKr as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { lokrFields, lokrSchema, parseLoKrConfig, readLoKrConfig } from './config.ts'
import { createLoKr } from './lokr.ts'

export type { LoKrConfig, LoKrSettings } from './config.ts'

export const lokr: MethodDefinition = {
  schema: lokrSchema,
  fields: lokrFields,
  create: async (config, target, options) => createLoKr(parseLoKrConfig(config, target), target, options),
  read: readLoKrConfig
}
