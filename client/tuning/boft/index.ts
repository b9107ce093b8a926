// BOFT as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { createBoft } from './boft.ts'
import { boftFields, boftSchema, parseBoftConfig, readBoftConfig } from './config.ts'

export type { BoftConfig, BoftSettings } from './config.ts'

export const boft: MethodDefinition = {
  schema: boftSchema,
  fields: boftFields,
  create: (config, target, options) => createBoft(parseBoftConfig(config, target), target, options),
  read: readBoftConfig
}
