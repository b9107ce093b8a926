// LoRA as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { loraFields, loraSchema, parseLoraConfig, readLoraConfig, withTargets } from './config.ts'
import { createLora } from './lora.ts'

export type { LoraConfig, LoraSettings } from './config.ts'

export const lora: MethodDefinition = {
  schema: loraSchema,
  fields: loraFields,
  create: async (config, target, options) => createLora(withTargets(parseLoraConfig(config), target), target, options),
  read: readLoraConfig
}
