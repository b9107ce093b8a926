// Prompt tuning as a row of the table of methods.
import type { MethodDefinition } from '../method.ts'
import { parsePromptTuningConfig, promptTuningFields, readPromptTuningConfig, schema } from './config.ts'
import { createPrompt } from './prompt.ts'

export type { PromptTuningConfig, PromptTuningSettings } from './config.ts'

export const prompt: MethodDefinition = {
  isPromptLearning: true,
  schema,
  fields: promptTuningFields,
  create: async (config, target, options) => createPrompt(parsePromptTuningConfig(config), target, options),
  read: readPromptTuningConfig
}
