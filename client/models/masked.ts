// Masked language models, whose blocks are computed by the swarm, under Petals' and Hugging Face's names.

import type { ClassificationHead } from '../heads/classification.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { loadHead } from './head.ts'
import { MaskedModel } from './masked-model.ts'
import type { AdaptedParts } from './model-parts.ts'
import type { HeadedParts } from './task-pass.ts'

/** Scores the vocabulary at every position of a text with masked tokens. */
export class DistributedModelForMaskedLM extends MaskedModel {
  constructor(parts: HeadedParts, options: { seed?: number } = {}) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForMaskedLM({ base: this, method, head }, options)
  }
}

/** The same with an adapter over the model. */
export class PeftModelForMaskedLM extends MaskedModel {
  /** the model under the adapter */
  readonly base: DistributedModelForMaskedLM

  constructor(components: AdaptedParts<DistributedModelForMaskedLM, ClassificationHead>, options: AdaptOptions) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, underOf(base, options))
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForMaskedLM> {
    await this.release()
    return this.base
  }
}

/** Opens masked language models. */
export const AutoDistributedModelForMaskedLM = {
  /** As `openModel`, with the head of the family's class: the checkpoint's, or a new one from `seed`. Throws UNSUPPORTED for a family without such a class. */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModelForMaskedLM> {
    checkPretrainedOptions(options, pretrainedKeys)
    return await openModel(path, { ...options, languageHead: true }, async parts => {
      const { seed, threads, signal } = options
      const head = await loadHead(parts, 'MASKED_LM', parts.checkpoint.config.vocabSize, { seed, threads, signal })
      return new DistributedModelForMaskedLM({ ...parts, head }, { seed })
    })
  }
}
