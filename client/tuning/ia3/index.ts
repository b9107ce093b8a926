// IA3 as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { ia3Fields, ia3Schema, parseIa3Config, readIa3Config } from './config.ts'
import { createIa3 } from './ia3.ts'

export type { Ia3Config, Ia3Settings } from './config.ts'

export const ia3: MethodDefinition = {
  schema: ia3Schema,
  fields: ia3Fields,
  create: async (config, target, options) => createIa3(parseIa3Config(config, target), target, options),
  read: readIa3Config
}
