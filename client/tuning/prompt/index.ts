// Prompt tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parsePromptTuningConfig, promptSchema, promptTuningFields, readPromptTuningConfig } from './config.ts'
import { createPrompt } from './prompt.ts'

export type { PromptTuningConfig, PromptTuningSettings } from './config.ts'

export const prompt: MethodDefinition = {
  isPromptLearning: true,
  schema: promptSchema,
  fields: promptTuningFields,
  create: async (config, target, options) => createPrompt(parsePromptTuningConfig(config), target, options),
  read: readPromptTuningConfig
}
