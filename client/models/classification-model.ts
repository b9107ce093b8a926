// Models that classify sequences or tokens, plain or with an adapter.
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { ClassificationHead, HeadTarget } from '../heads/classification.ts'
import { areNumbersOfLabels, type Ids, idMatrix, labelNumbers, type Numbers, sequenceLabels } from '../local/inputs.ts'
import type { ProblemType } from '../local/labels.ts'
import type { TrainableModel } from '../train/index.ts'
import { saveLabels, type TuningMethod } from '../tuning/index.ts'
import { BaseModel, type ModelOptions, type PassOptions, passKeys, type SaveOptions } from './base-model.ts'
import { checkLabels, type ModelLoss } from './loss.ts'
import { forwardTask, type HeadedParts, type TokenInput, tokenKeys } from './task-pass.ts'

/** A batch for a classifier. */
export interface ClassificationInput extends TokenInput {
  /**
   * Of tokens, and of sequences that have one label of several: numbers of labels, -100 where no loss is taken, one for each token (not
   * shifted) or sequence. Of sequences with any number of labels, 0 or 1 for each, and of regressions numbers: [batch, numLabels].
   */
  readonly labels?: Ids | Numbers
}

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
  /** undefined: the labels of a call decide it */
  readonly problemType?: ProblemType
}

abstract class ClassificationModel extends BaseModel<ClassificationHead> implements TrainableModel {
  abstract override readonly task: 'SEQ_CLS' | 'TOKEN_CLS'
  /** names of the labels by their numbers */
  readonly id2label: readonly string[]
  /** what the labels are; null where those of a call decide it */
  readonly problemType: ProblemType | null

  constructor(parts: HeadedParts, tuning: TuningMethod | null, options: ClassificationOptions) {
    super(parts, tuning, options)
    this.id2label = options.labels
    this.problemType = options.problemType ?? null
  }

  /** The number of classes: the last dimension of the logits. */
  get numLabels(): number {
    return this.id2label.length
  }

  /** As the others; with the names of the labels, for which PEFT's files have no place, in `labels.json`. */
  override async savePretrained(directory: string, options: SaveOptions = {}): Promise<void> {
    await super.savePretrained(directory, options)
    await saveLabels(directory, { labels: this.id2label, problemType: this.problemType ?? undefined }, options)
  }

  /** numbers of the labels by their names */
  get label2id(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.id2label.map((label, id) => [label, id]))
  }

  /**
   * Loss (means over the labels that count: cross entropy; of any number of labels binary cross entropy; of regressions the squared
   * distance) and logits, or logits alone. Throws INVALID_ARGUMENT, for labels that there are not too, and what the way through the
   * servers throws.
   */
  async forward(
    input: ClassificationInput & { readonly labels: Ids | Numbers },
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
    checkOptions('forward: input', input, { ...tokenKeys, labels: true })
    const { labels } = input
    const { parts, tuning } = this.acting
    const target =
      labels === undefined
        ? null
        : (shape: readonly [number, number]): HeadTarget => {
            const found = this.targetOf(labels, shape)
            if (found.kind !== 'classes' && options.labelSmoothing) {
              throw new SwarmError('INVALID_ARGUMENT', 'labelSmoothing: only for one label of several')
            }
            return found
          }
    const plan = this.planOf(options, parts.head.dropout)
    const { loss, logits } = await forwardTask(parts, tuning, input, target, plan)
    return {
      loss,
      logits: this.task === 'TOKEN_CLS' ? logits : { ...logits, shape: [logits.shape[0]!, logits.shape[2]!] }
    }
  }

  /** What the loss compares with. Throws INVALID_ARGUMENT. */
  protected abstract targetOf(labels: Ids | Numbers, shape: readonly [number, number]): HeadTarget

  /** Labels by their numbers. Throws INVALID_ARGUMENT for those that there are not. */
  protected classes(labels: Extract<HeadTarget, { kind: 'classes' }>['labels']): HeadTarget {
    checkLabels(labels, this.numLabels, this.id2label.join(', '))
    return { kind: 'classes', labels }
  }
}

/** Labels for every sequence. */
export class SequenceClassificationModel extends ClassificationModel {
  readonly task = 'SEQ_CLS'

  protected override targetOf(labels: Ids | Numbers, [batch]: readonly [number, number]): HeadTarget {
    const { numLabels } = this
    const isOfAll = areNumbersOfLabels(labels, numLabels)
    const problem = this.problemType ?? (isOfAll ? 'multi_label_classification' : 'single_label_classification')
    if (problem === 'single_label_classification') return this.classes(sequenceLabels(labels as Ids, batch))
    const targets = labelNumbers(labels, batch, numLabels)
    if (problem === 'regression') return { kind: 'numbers', targets }
    const wrong = targets.data.findIndex(value => value < 0 || value > 1)
    if (wrong === -1) return { kind: 'flags', targets }
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `labels, row ${Math.floor(wrong / numLabels)}: expected 0 to 1 for each of ${this.id2label.join(', ')}, found ${targets.data[wrong]}`
    )
  }
}

/** One label for every token. */
export class TokenClassificationModel extends ClassificationModel {
  readonly task = 'TOKEN_CLS'

  protected override targetOf(labels: Ids | Numbers, shape: readonly [number, number]): HeadTarget {
    return this.classes(idMatrix(labels as Ids, 'labels', shape))
  }
}
