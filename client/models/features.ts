// A model without a head whose blocks are computed by the swarm, under Petals' name.

import { FeatureHead } from '../heads/features.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { FeatureModel } from './feature-model.ts'
import type { AdaptedParts, TaskParts } from './model-parts.ts'

/** A model without a head: hidden states after the last norm. */
export class DistributedModel extends FeatureModel {
  constructor(parts: TaskParts<FeatureHead>, options: { seed?: number } = {}) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: FeatureHead, options: AdaptOptions): PeftModelForFeatureExtraction {
    return new PeftModelForFeatureExtraction({ base: this, method, head }, options)
  }
}

/** The same with an adapter over it, under PEFT's name. */
export class PeftModelForFeatureExtraction extends FeatureModel {
  /** the model under the adapter */
  readonly base: DistributedModel

  constructor(components: AdaptedParts<DistributedModel, FeatureHead>, options: AdaptOptions) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, underOf(base, options))
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModel> {
    await this.release()
    return this.base
  }
}

/** Opens models without a head. */
export const AutoDistributedModel = {
  /** As `openModel`, with nothing after the last norm. */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModel> {
    checkPretrainedOptions(options, pretrainedKeys)
    return await openModel(path, { ...options, languageHead: false }, parts => {
      const head = new FeatureHead(parts)
      return new DistributedModel({ ...parts, head }, { seed: options.seed })
    })
  }
}

/** Opens models that make vectors of texts: plain checkpoints, and folders of sentence-transformers. */
export const AutoDistributedModelForFeatureExtraction = {
  /** As `AutoDistributedModel`; modules of modules.json that are not known are refused by name. */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModel> {
    const model = await AutoDistributedModel.fromPretrained(path, options)
    try {
      await model.sentenceFolder()
      return model
    } catch (error) {
      await model.close()
      throw error
    }
  }
}
