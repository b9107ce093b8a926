// Prompt tuning (Lester et al. 2021): trained embeddings put before every input. Knows no server and no optimizer.
import { tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { type PromptTuningSettings, writePromptTuningConfig } from './config.ts'
import { initializePrompt } from './initialize.ts'

/** One parameter, `prompt_embeddings` `[numVirtualTokens, hidden]`; no port of any block. */
export async function createPrompt(
  settings: PromptTuningSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<PromptTuningSettings>> {
  const { numVirtualTokens } = settings
  const values = options.initialize ? await initializePrompt(settings, target, options) : undefined
  const prompt = parameter('prompt_embeddings', [numVirtualTokens, target.hiddenSize], values)
  return {
    config: settings,
    parameters: [prompt],
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: numVirtualTokens,
    ports: () => ({}),
    promptEmbeddings: () => tensor('float32', prompt.shape, prompt.data),
    accumulatePorts() {},
    accumulatePrompt({ data }) {
      if (!prompt.requiresGrad) return
      const size = prompt.data.length
      for (let row = 0; row < data.length; row += size) addGradient(prompt, data.subarray(row, row + size))
    },
    describe: ({ baseModel }) => writePromptTuningConfig(settings, target, baseModel)
  }
}
