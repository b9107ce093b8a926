// Prompt tuning (Lester et al. 2021): trained embeddings put before every input. Knows no server and no optimizer.
import { parameter } from '../../local/parameter.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { addRowGradients, keptTokens, usedRows } from '../virtual-tokens.ts'
import { type PromptTuningSettings, writePromptTuningConfig } from './config.ts'
import { initializePrompt } from './initialize.ts'

/** One parameter, `prompt_embeddings` `[numVirtualTokens, hidden]`, of SEQ_2_SEQ_LM twice as many; no port of any block. */
export async function createPrompt(
  settings: PromptTuningSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<PromptTuningSettings>> {
  const { numVirtualTokens } = settings
  const rows = keptTokens(numVirtualTokens, target)
  const values = options.initialize ? await initializePrompt(settings, target, options) : undefined
  const prompt = parameter('prompt_embeddings', [rows, target.hiddenSize], values)
  return {
    config: settings,
    parameters: [prompt],
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: numVirtualTokens,
    ports: () => ({}),
    promptEmbeddings: () => usedRows(prompt, numVirtualTokens),
    accumulatePorts() {},
    accumulatePrompt: gradient => addRowGradients(prompt, gradient),
    describe: ({ baseModel }) => writePromptTuningConfig(settings, target, baseModel)
  }
}
