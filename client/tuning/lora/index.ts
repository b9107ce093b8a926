// LoRA as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parseLoraConfig, readLoraConfig } from './config.ts'
import { createLora } from './lora.ts'

export type { LoraConfig, LoraSettings } from './config.ts'

export const lora: MethodDefinition = {
  create: async (config, target, options) => createLora(parseLoraConfig(config), target, options),
  read: readLoraConfig
}
