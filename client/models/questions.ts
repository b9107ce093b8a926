// Models for answers from a text, whose blocks are computed by the swarm, under Petals' and Hugging Face's names.

import type { ClassificationHead } from '../heads/classification.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { loadHead } from './head.ts'
import type { AdaptedParts } from './model-parts.ts'
import { QuestionAnsweringModel } from './question-model.ts'
import type { HeadedParts } from './task-pass.ts'

/** Answers questions with a piece of a text. */
export class DistributedModelForQuestionAnswering extends QuestionAnsweringModel {
  constructor(parts: HeadedParts, options: { seed?: number } = {}) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForQuestionAnswering({ base: this, method, head }, options)
  }
}

/** The same with an adapter over the model. */
export class PeftModelForQuestionAnswering extends QuestionAnsweringModel {
  /** the model under the adapter */
  readonly base: DistributedModelForQuestionAnswering

  constructor(
    components: AdaptedParts<DistributedModelForQuestionAnswering, ClassificationHead>,
    options: AdaptOptions
  ) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, underOf(base, options))
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForQuestionAnswering> {
    await this.release()
    return this.base
  }
}

/** Opens models that answer questions. */
export const AutoDistributedModelForQuestionAnswering = {
  /** As `openModel`, with the head of the family's class: the checkpoint's, or a new one from `seed`. Throws UNSUPPORTED for a family without such a class. */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModelForQuestionAnswering> {
    checkPretrainedOptions(options, pretrainedKeys)
    return await openModel(path, { ...options, languageHead: false }, async parts => {
      const { seed, threads, signal } = options
      const head = await loadHead(parts, 'QUESTION_ANS', 2, { seed, threads, signal })
      return new DistributedModelForQuestionAnswering({ ...parts, head }, { seed })
    })
  }
}
