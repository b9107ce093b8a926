// Models for classification whose blocks are computed by the swarm, under Petals' and Hugging Face's names.

import { SwarmError } from '../../common/errors.ts'
import type { OptionKeys } from '../../common/options.ts'
import type { ClassificationHead } from '../heads/classification.ts'
import { type LabelOptions, type ResolvedLabels, resolveLabels } from '../local/labels.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import {
  type ClassificationOptions,
  SequenceClassificationModel,
  TokenClassificationModel
} from './classification-model.ts'
import { loadHead, storedClasses } from './head.ts'
import type { AdaptedParts, ModelParts } from './model-parts.ts'
import type { HeadedParts } from './task-pass.ts'

/** As `PretrainedOptions`, with the labels. */
export interface ClassifierOptions extends PretrainedOptions, LabelOptions {}

/** The same for a label of each token. */
export interface TokenClassifierOptions extends Omit<ClassifierOptions, 'problemType'> {
  /** probability with which training drops numbers of a token's state; default: config.json's, as Hugging Face reads it */
  readonly classifierDropout?: number
}

const tokenKeys: OptionKeys<TokenClassifierOptions> = {
  ...pretrainedKeys,
  numLabels: true,
  id2label: true,
  classifierDropout: true
}

const classifierKeys: OptionKeys<ClassifierOptions> = {
  ...pretrainedKeys,
  numLabels: true,
  id2label: true,
  problemType: true
}

/** The head as the checkpoint has it, or a new one, with its labels. */
async function headOf(
  parts: ModelParts,
  task: 'SEQ_CLS' | 'TOKEN_CLS',
  { classifierDropout: dropout, ...options }: ClassifierOptions & TokenClassifierOptions
): Promise<{ head: ClassificationHead } & ResolvedLabels> {
  if (dropout !== undefined && !(dropout >= 0 && dropout < 1)) {
    throw new SwarmError('INVALID_ARGUMENT', `classifierDropout: expected 0 to below 1, found ${dropout}`)
  }
  const { checkpoint } = parts
  const stored = storedClasses(checkpoint, task)
  const { labels, problemType } = resolveLabels(options, checkpoint.config.raw, stored)
  const { seed, threads, signal } = options
  return { head: await loadHead(parts, task, labels.length, { seed, threads, signal, dropout }), labels, problemType }
}

/** Scores each sequence by one state of it: labels for the whole, or numbers. */
export class DistributedModelForSequenceClassification extends SequenceClassificationModel {
  constructor(parts: HeadedParts, options: Omit<ClassificationOptions, 'under'>) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForSequenceClassification({ base: this, method, head }, options)
  }
}

/** Scores every token: a label for each. */
export class DistributedModelForTokenClassification extends TokenClassificationModel {
  constructor(parts: HeadedParts, options: Omit<ClassificationOptions, 'under'>) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForTokenClassification({ base: this, method, head }, options)
  }
}

/** A label for each sequence, with an adapter over the model. */
export class PeftModelForSequenceClassification extends SequenceClassificationModel {
  /** the model under the adapter */
  readonly base: DistributedModelForSequenceClassification

  constructor(
    components: AdaptedParts<DistributedModelForSequenceClassification, ClassificationHead>,
    options: AdaptOptions
  ) {
    const { base, method, head } = components
    const { id2label: labels, problemType } = base
    const own = { labels, problemType: problemType ?? undefined }
    super(partsOf(base.parts, head), method, { ...own, ...underOf(base, options) })
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForSequenceClassification> {
    await this.release()
    return this.base
  }
}

/** A label for each token, with an adapter over the model. */
export class PeftModelForTokenClassification extends TokenClassificationModel {
  /** the model under the adapter */
  readonly base: DistributedModelForTokenClassification

  constructor(
    components: AdaptedParts<DistributedModelForTokenClassification, ClassificationHead>,
    options: AdaptOptions
  ) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, { labels: base.id2label, ...underOf(base, options) })
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForTokenClassification> {
    await this.release()
    return this.base
  }
}

/** Opens models for a label of each sequence. */
export const AutoDistributedModelForSequenceClassification = {
  /**
   * As `openModel`, with the head of the family's ForSequenceClassification class: of decoders a linear layer that scores the last token.
   * It is the checkpoint's, or a new one from `seed`. Throws INVALID_ARGUMENT for labels that contradict each other or the checkpoint,
   * UNSUPPORTED for a family without such a class.
   */
  async fromPretrained(
    path: string,
    options: ClassifierOptions = {}
  ): Promise<DistributedModelForSequenceClassification> {
    checkPretrainedOptions(options, classifierKeys)
    return await openModel(path, { ...options, languageHead: false }, async parts => {
      const { head, labels, problemType } = await headOf(parts, 'SEQ_CLS', options)
      const settings = { labels, problemType, seed: options.seed }
      return new DistributedModelForSequenceClassification({ ...parts, head }, settings)
    })
  }
}

/** Opens models for a label of each token. */
export const AutoDistributedModelForTokenClassification = {
  /** The same with a layer that scores every token. */
  async fromPretrained(
    path: string,
    options: TokenClassifierOptions = {}
  ): Promise<DistributedModelForTokenClassification> {
    checkPretrainedOptions(options, tokenKeys)
    return await openModel(path, { ...options, languageHead: false }, async parts => {
      const { head, labels } = await headOf(parts, 'TOKEN_CLS', options)
      return new DistributedModelForTokenClassification({ ...parts, head }, { labels, seed: options.seed })
    })
  }
}
