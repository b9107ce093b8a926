// Opens a folder for what can be done with single texts: continuing them, or, where the model has an encoder, vectors of them.
import { FeatureHead } from '../heads/features.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import { causalModel, type DistributedModelForCausalLM } from './causal.ts'
import { DistributedModel } from './features.ts'
import { kindOf } from './kind.ts'

/**
 * A causal model as `AutoDistributedModelForCausalLM` opens it, and of every model with an encoder the encoder's hidden states, as
 * `AutoDistributedModel` does; its `task` tells which. Throws as they do.
 */
export async function openTextModel(
  path: string,
  options: PretrainedOptions = {}
): Promise<DistributedModelForCausalLM | DistributedModel> {
  checkPretrainedOptions(options, pretrainedKeys)
  const languageHead = (config: Parameters<typeof kindOf>[0]): boolean => kindOf(config) === 'causal'
  return await openModel<DistributedModelForCausalLM | DistributedModel>(path, { ...options, languageHead }, parts =>
    languageHead(parts.checkpoint.config)
      ? causalModel(path, parts, options)
      : new DistributedModel({ ...parts, head: new FeatureHead(parts) }, { seed: options.seed })
  )
}
