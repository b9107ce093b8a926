// VeRA as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parseVeraConfig, readVeraConfig, veraFields, veraSchema } from './config.ts'
import { createVera } from './vera.ts'

export type { VeraConfig, VeraSettings } from './config.ts'

export const vera: MethodDefinition = {
  schema: veraSchema,
  fields: veraFields,
  create: (config, target, options) => createVera(parseVeraConfig(config, target), target, options),
  read: readVeraConfig
}
