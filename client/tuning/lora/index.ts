// LoRA as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { withDefaultTargets } from '../targets.ts'
import { loraFields, loraSchema, parseLoraConfig, readLoraConfig } from './config.ts'
import { createLora } from './lora.ts'

export type { LoraConfig, LoraSettings } from './config.ts'

export const lora: MethodDefinition = {
  schema: loraSchema,
  fields: loraFields,
  create: async (config, target, options) =>
    createLora(withDefaultTargets(parseLoraConfig(config), target), target, options),
  read: readLoraConfig
}
