// Models with an adapter over them, one for each task, under PEFT's names.
import { CausalModel } from './causal-model.ts'
import type {
  DistributedModelForSequenceClassification,
  DistributedModelForTokenClassification
} from './classification.ts'
import { SequenceClassificationModel, TokenClassificationModel } from './classification-model.ts'
import { FeatureModel } from './feature-model.ts'
import type { DistributedModel } from './features.ts'
import type { ClassificationHead } from './heads/classification.ts'
import type { FeatureHead } from './heads/features.ts'
import type { LanguageHead } from './heads/language.ts'
import type { DistributedModelForCausalLM } from './model.ts'
import type { TuningMethod } from './tuning/index.ts'

interface Components<Base, Head> {
  /** the model under the adapter; it goes on as if there were none */
  readonly base: Base
  readonly method: TuningMethod
  /** with parameters of its own */
  readonly head: Head
}

export class PeftModelForCausalLM extends CausalModel {
  readonly base: DistributedModelForCausalLM

  constructor(components: Components<DistributedModelForCausalLM, LanguageHead>, options: { seed?: number } = {}) {
    const { base, method, head } = components
    super({ ...base.parts, head, embeddings: head.embeddings ?? base.parts.embeddings }, method, options)
    this.base = base
  }
}

export class PeftModelForSequenceClassification extends SequenceClassificationModel {
  readonly base: DistributedModelForSequenceClassification

  constructor(
    components: Components<DistributedModelForSequenceClassification, ClassificationHead>,
    options: { seed?: number } = {}
  ) {
    const { base, method, head } = components
    super({ ...base.parts, head }, method, { labels: base.id2label, ...options })
    this.base = base
  }
}

export class PeftModelForTokenClassification extends TokenClassificationModel {
  readonly base: DistributedModelForTokenClassification

  constructor(
    components: Components<DistributedModelForTokenClassification, ClassificationHead>,
    options: { seed?: number } = {}
  ) {
    const { base, method, head } = components
    super({ ...base.parts, head }, method, { labels: base.id2label, ...options })
    this.base = base
  }
}

export class PeftModelForFeatureExtraction extends FeatureModel {
  readonly base: DistributedModel

  constructor(components: Components<DistributedModel, FeatureHead>, options: { seed?: number } = {}) {
    const { base, method, head } = components
    super({ ...base.parts, head }, method, options)
    this.base = base
  }
}
