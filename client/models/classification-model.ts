// Models that classify sequences or tokens, plain or with an adapter.
import { checkOptions } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { ClassificationHead } from '../heads/classification.ts'
import type { Ids } from '../local/inputs.ts'
import type { TrainableModel } from '../train/index.ts'
import { saveLabels, type TuningMethod } from '../tuning/index.ts'
import { BaseModel, type ModelOptions, type PassOptions, passKeys, type SaveOptions } from './base-model.ts'
import { type ClassificationInput, type ClassificationParts, forwardClassification } from './classification-pass.ts'
import type { ModelLoss } from './loss.ts'

/** What a pass of a classifier gives. */
export interface ClassificationOutput {
  /** null without labels */
  readonly loss: ModelLoss
  /** [batch, numLabels] of sequences; [batch, virtual tokens + seq, numLabels] of tokens */
  readonly logits: Float32Tensor
}

export interface ClassificationOptions extends ModelOptions<ClassificationHead> {
  /** names of the labels by their numbers */
  readonly labels: readonly string[]
}

abstract class ClassificationModel extends BaseModel<ClassificationHead> implements TrainableModel {
  abstract override readonly task: 'SEQ_CLS' | 'TOKEN_CLS'
  /** names of the labels by their numbers */
  readonly id2label: readonly string[]

  constructor(parts: ClassificationParts, tuning: TuningMethod | null, options: ClassificationOptions) {
    super(parts, tuning, options)
    this.id2label = options.labels
  }

  /** The number of classes: the last dimension of the logits. */
  get numLabels(): number {
    return this.id2label.length
  }

  /** As the others; with the names of the labels, for which PEFT's files have no place, in `labels.json`. */
  override async savePretrained(directory: string, options: SaveOptions = {}): Promise<void> {
    await super.savePretrained(directory, options)
    await saveLabels(directory, this.id2label, options)
  }

  /** numbers of the labels by their names */
  get label2id(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.id2label.map((label, id) => [label, id]))
  }

  /**
   * Loss (mean cross entropy over the labels that are not -100) and logits, or logits alone. Throws INVALID_ARGUMENT, for
   * labels that there are not too, and what the way through the servers throws.
   */
  async forward(
    input: ClassificationInput & { readonly labels: Ids },
    options?: PassOptions
  ): Promise<ClassificationOutput>
  async forward(
    input: ClassificationInput & { readonly labels?: undefined },
    options?: PassOptions
  ): Promise<{ readonly loss: null; readonly logits: Float32Tensor }>
  async forward(
    input: ClassificationInput,
    options: PassOptions = {}
  ): Promise<{ readonly loss: ModelLoss | null; readonly logits: Float32Tensor }> {
    checkOptions('forward', options, passKeys)
    checkOptions('forward: input', input, { inputIds: true, labels: true, attentionMask: true })
    const { parts, tuning } = this.acting
    return await forwardClassification(parts, tuning, input, {
      ...this.planOf(options, parts.head.dropout),
      kind: this.task === 'SEQ_CLS' ? 'sequence' : 'token',
      labels: this.id2label
    })
  }
}

/** One label for every sequence, scored at its last token. */
export class SequenceClassificationModel extends ClassificationModel {
  readonly task = 'SEQ_CLS'
}

/** One label for every token. */
export class TokenClassificationModel extends ClassificationModel {
  readonly task = 'TOKEN_CLS'
}
