// A model without a head whose blocks are computed by the swarm, under Petals' name.
import { FeatureModel } from './feature-model.ts'
import { FeatureHead } from './heads/features.ts'
import type { TaskParts } from './parts.ts'
import { PeftModelForFeatureExtraction } from './peft-models.ts'
import { openModel, type PretrainedOptions } from './pretrained.ts'
import type { TuningMethod } from './tuning/index.ts'

export class DistributedModel extends FeatureModel {
  constructor(parts: TaskParts<FeatureHead>, options: { seed?: number } = {}) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: FeatureHead, options: { seed?: number } = {}): PeftModelForFeatureExtraction {
    return new PeftModelForFeatureExtraction({ base: this, method, head }, options)
  }
}

export const AutoDistributedModel = {
  /** As `openModel`, with nothing after the last norm. */
  async fromPretrained(path: string, options: PretrainedOptions): Promise<DistributedModel> {
    return await openModel(path, { ...options, languageHead: false }, parts => {
      const head = new FeatureHead(parts)
      return new DistributedModel({ ...parts, head }, { seed: options.seed })
    })
  }
}
