// OFT as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { oftFields, oftSchema, parseOftConfig, readOftConfig } from './config.ts'
import { createOft } from './oft.ts'

export type { OftConfig, OftSettings } from './config.ts'

export const oft: MethodDefinition = {
  schema: oftSchema,
  fields: oftFields,
  create: (config, target, options) => createOft(parseOftConfig(config, target), target, options),
  read: readOftConfig
}
