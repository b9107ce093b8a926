// What training needs of a model.
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Parameter } from '../local/parameter.ts'
import type { TuningState } from '../tuning/index.ts'
import type { Batch } from './collate.ts'

export interface BackwardOptions {
  readonly scale?: number
  readonly after?: Promise<void>
  readonly signal?: AbortSignal
}

/** A loss that has been computed and can be differentiated once. */
export interface Loss {
  /** the loss of the batch */
  readonly value: number
  /**
   * Adds the gradient of `scale` times the loss (default 1) to `grad` of every parameter that requires it, not before
   * `after` has resolved: gradients of losses that each wait for the previous one are added in order, although their
   * passes through the servers overlap.
   */
  backward(options?: BackwardOptions): Promise<void>
}

export interface TrainingForwardOptions {
  /** dropout acts, and servers keep what a backward needs */
  readonly training?: boolean
  /** of the dropout */
  readonly seed?: number
  /** share of the target that is spread over the whole vocabulary; default 0 */
  readonly labelSmoothing?: number
  readonly signal?: AbortSignal
}

/** What servers took part in training. */
export interface Traffic {
  /** servers that took part, in a progress: in the last step */
  readonly peers: number
  /** requests that had to be made again, of the whole run */
  readonly retries: number
}

/** What training keeps of a model, whatever its batches are. */
export interface TrainedModel {
  /** What is trained: the optimizer reads and changes these. */
  parameters(): readonly Parameter[]
  /**
   * Whether the loss takes the first label of a row; default true. A causal model predicts label t from position t - 1, so it
   * takes the first label only where virtual tokens come before the row.
   */
  readonly firstLabelCounts?: boolean
  /** told after every optimizer step how many were made, before the gradients are forgotten */
  afterStep?(step: number): void
  /** What it keeps beside its parameters and later steps depend on, a copy; null where that is nothing. */
  exportState?(): TuningState | null
  /** Goes on from such a copy. Throws BAD_CHECKPOINT where it is of another model or adapter. */
  importState?(state: TuningState): void
  /** Writes what is trained as others load it; part of every checkpoint. */
  savePretrained?(directory: string): Promise<void>
  /** What it is, as plain JSON by names: a checkpoint of a run is resumed over the same only. */
  fingerprint?(): Readonly<Record<string, unknown>>
  /** How its batches have travelled; the servers are those since it was asked last. */
  traffic?(): Traffic
}

/** What `train` asks of a model. */
export interface TrainableModel extends TrainedModel {
  /** what it is for, as PEFT names it: decides how batches are passed to it */
  readonly task?: string
  /** The loss is the mean over the labels that count; `logits` where the model gives them. */
  forward(
    batch: Batch,
    options?: TrainingForwardOptions
  ): Promise<{ readonly loss: Loss; readonly logits?: Float32Tensor | null }>
}
