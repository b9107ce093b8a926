// Deep prompt tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { deepPromptFields, deepPromptSchema, parseDeepPromptConfig, readDeepPromptConfig } from './config.ts'
import { createDeepPrompt } from './deep-prompt.ts'

export type { DeepPromptConfig, DeepPromptSettings } from './config.ts'

export const deepPrompt: MethodDefinition = {
  isPromptLearning: true,
  schema: deepPromptSchema,
  fields: deepPromptFields,
  create: async (config, target, options) => createDeepPrompt(parseDeepPromptConfig(config), target, options),
  read: readDeepPromptConfig
}
