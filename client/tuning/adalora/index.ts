// AdaLoRA as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { createAdaLora } from './adalora.ts'
import { adaLoraFields, adaloraSchema, parseAdaLoraConfig, readAdaLoraConfig } from './config.ts'

export type { AdaLoraConfig, AdaLoraSettings } from './config.ts'

export const adaLora: MethodDefinition = {
  schema: adaloraSchema,
  fields: adaLoraFields,
  create: async (config, target, options) => createAdaLora(parseAdaLoraConfig(config), target, options),
  read: readAdaLoraConfig
}
