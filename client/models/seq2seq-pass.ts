// One pass of an encoder-decoder language model: both stacks, and the head over the positions that count.

import { SwarmError } from '../../common/errors.ts'
import { pickPositions, scatterPositions } from '../../common/rows.ts'
import { type Float32Tensor, int64, type Tensor } from '../../common/tensor.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { Seq2SeqHead } from '../heads/seq2seq.ts'
import { type Ids, idMatrix, maskMatrix } from '../local/inputs.ts'
import type { TuningMethod } from '../tuning/index.ts'
import type { BackboneInput, PassPlan } from './backbone.ts'
import { addInTurn, type Backward, checkLabels, ModelLoss } from './loss.ts'
import type { ModelParts, TaskParts } from './model-parts.ts'
import { forwardStacks } from './stacks-pass.ts'

/** A batch for an encoder-decoder model. */
export interface Seq2SeqInput {
  /** `[batch, source]`: what the encoder reads */
  readonly inputIds: Ids
  /** `[batch, source]`: 1 = token, 0 = padding on the right */
  readonly attentionMask?: Ids
  /** `[batch, target]`: what is to be written, -100 where no loss is taken; the decoder reads them one place to the right */
  readonly labels?: Ids
  /** `[batch, target]`: what the decoder reads; default: the labels, shifted to the right */
  readonly decoderInputIds?: Ids
  /** `[batch, target]`: 1 = token, 0 = padding on the right; default: all are tokens */
  readonly decoderAttentionMask?: Ids
}

export type Seq2SeqParts = TaskParts<Seq2SeqHead>

export interface Seq2SeqPlan extends PassPlan {
  /** false: the vocabulary is scored only where labels are */
  readonly logits: boolean
}

export interface Seq2SeqResult {
  readonly loss: ModelLoss | null
  readonly logits: Float32Tensor | null
}

/** The decoder's inputs: those given, or the labels one place to the right. Throws INVALID_ARGUMENT. */
function decoderInputs(
  parts: ModelParts,
  { decoderInputIds, decoderAttentionMask }: Seq2SeqInput,
  labels: Tensor<'int64'> | null,
  batch: number
): BackboneInput {
  const { config, family } = parts.checkpoint
  if (decoderInputIds === undefined && labels === null) {
    throw new SwarmError('INVALID_ARGUMENT', 'forward: expected labels or decoderInputIds, found neither')
  }
  const ids =
    decoderInputIds === undefined ? family.decoderInputs(config, labels!) : idMatrix(decoderInputIds, 'decoderInputIds')
  const shape = labels?.shape ?? [batch, ids.shape[1]!]
  if (ids.shape.join() !== shape.join()) {
    throw new SwarmError('INVALID_ARGUMENT', `decoderInputIds: expected [${shape}], found [${ids.shape}]`)
  }
  const mask = maskMatrix(decoderAttentionMask, ids.shape, 'decoderAttentionMask')
  return { ids, mask }
}

/** Throws INVALID_ARGUMENT for input that does not fit together, and what the way through the servers throws. */
export async function forwardSeq2Seq(
  parts: Seq2SeqParts,
  tuning: TuningMethod | null,
  input: Seq2SeqInput,
  plan: Seq2SeqPlan
): Promise<Seq2SeqResult> {
  const ids = idMatrix(input.inputIds, 'inputIds')
  const [batch] = ids.shape as [number, number]
  const mask = maskMatrix(input.attentionMask, ids.shape)
  const labels = input.labels === undefined ? null : idMatrix(input.labels, 'labels')
  if (labels !== null) {
    if (labels.shape[0] !== batch) {
      throw new SwarmError('INVALID_ARGUMENT', `labels: expected [${batch}, target], found [${labels.shape}]`)
    }
    checkLabels(labels, parts.checkpoint.config.vocabSize, "the model's tokens")
  }
  const written = decoderInputs(parts, input, labels, batch)

  const { head } = parts
  const differentiate = plan.differentiate && labels !== null
  const through = { read: { ids, mask }, written }
  const body = await forwardStacks({ ...parts, bridge: head.bridge }, tuning, through, { ...plan, differentiate })
  if (labels === null) return { loss: null, logits: await head.logits(body.hidden) }

  const { labelSmoothing } = plan
  const wanted = { hidden: body.differentiable, parameters: differentiate, labelSmoothing }
  const scored = plan.logits ? null : labelledRow(body.hidden, labels)
  const result = await head.loss(scored?.hidden ?? body.hidden, scored?.labels ?? labels, wanted)

  const backward: Backward = async (scale, options) => {
    const gradients = await result.backward(scale)
    const after = addInTurn(gradients, options.after)
    const { hidden } = gradients
    if (hidden === null) return await after
    const full = scored === null ? hidden : scatterPositions(hidden, scored.at, body.hidden.shape)
    await body.backward(full, scale, { ...options, after })
  }
  const differentiable = body.differentiable || (differentiate && head.requiresGrad)
  return {
    loss: new ModelLoss(result.value + body.penalty, differentiable ? backward : null),
    logits: plan.logits ? result.logits : null
  }
}

/** Positions with a label, as one row: the head's work, which is proportional to the vocabulary, is done only where it counts. */
function labelledRow(
  hidden: Float32Tensor,
  labels: Tensor<'int64'>
): { hidden: Float32Tensor; labels: Tensor<'int64'>; at: number[] } {
  const counted = [...labels.data.keys()].filter(index => labels.data[index] !== BigInt(ignoredLabel))
  // a batch without a label has a loss of its own kind, which the head gives
  const at = counted.length > 0 ? counted : [0]
  const targets = at.map(index => Number(labels.data[index]))
  return { hidden: pickPositions(hidden, at, 1), labels: int64([1, at.length], targets), at }
}
