// One pass of a classification: the body, and the head over the last token of every sequence or over every token.
import { lastTokens, pickPositions, scatterPositions } from '../../common/rows.ts'
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { ClassificationHead } from '../heads/classification.ts'
import { type Ids, idMatrix, impliedMask, maskMatrix, prependColumns, sequenceLabels } from '../local/inputs.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { forwardBody, type PassPlan } from './backbone.ts'
import { addInTurn, type Backward, checkLabels, ModelLoss } from './loss.ts'
import type { TaskParts } from './model-parts.ts'

export type ClassificationParts = TaskParts<ClassificationHead>

/** A batch for a classifier. */
export interface ClassificationInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** numbers of labels, -100 where no loss is taken: one for each sequence, or one for each token (not shifted) */
  readonly labels?: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
}

export interface ClassificationResult {
  readonly loss: ModelLoss | null
  /** [batch, numLabels] of sequences; [batch, virtual tokens + seq, numLabels] of tokens */
  readonly logits: Float32Tensor
}

/** What the head takes of the hidden states, and which labels belong to it. */
interface Selection {
  /** [batch, positions, hidden] */
  readonly hidden: Float32Tensor
  /** [batch, positions] */
  readonly labels: Tensor<'int64'> | null
  /** The gradient of `hidden` as that of all hidden states. */
  restore(gradient: Float32Tensor): Float32Tensor
}

interface Plan extends PassPlan {
  readonly kind: 'sequence' | 'token'
  /** names of the labels */
  readonly labels: readonly string[]
}

/** Throws INVALID_ARGUMENT for input that does not fit together, and what the way through the servers throws. */
export async function forwardClassification(
  parts: ClassificationParts,
  tuning: TuningMethod | null,
  input: ClassificationInput,
  plan: Plan
): Promise<ClassificationResult> {
  const { head, checkpoint } = parts
  const ids = idMatrix(input.inputIds, 'inputIds')
  const mask = maskMatrix(input.attentionMask, ids.shape)
  const labels = input.labels === undefined ? null : readLabels(input.labels, ids.shape, plan.kind)
  if (labels !== null) checkLabels(labels, plan.labels.length, plan.labels.join(', '))

  const differentiate = plan.differentiate && labels !== null
  const body = await forwardBody(parts, tuning, { ids, mask }, { ...plan, differentiate })
  const select = (): Selection => {
    if (plan.kind === 'token') {
      const targets = labels && prependColumns(labels, body.before, ignoredLabel)
      return { hidden: body.hidden, labels: targets, restore: gradient => gradient }
    }
    const padding = input.attentionMask === undefined ? impliedMask(ids, checkpoint.config.padTokenId) : mask
    const at = lastTokens(padding, ids.shape, body.before)
    const { shape } = body.hidden
    const hidden = pickPositions(body.hidden, at, at.length)
    return { hidden, labels, restore: gradient => scatterPositions(gradient, at, shape) }
  }
  const selected = select()
  const logitsOf = (logits: Float32Tensor): Float32Tensor =>
    plan.kind === 'token' ? logits : { ...logits, shape: [logits.shape[0]!, logits.shape[2]!] }
  const seed = plan.training ? plan.seed : null
  if (selected.labels === null) {
    return { loss: null, logits: logitsOf(await head.logits(selected.hidden, seed)) }
  }

  const { labelSmoothing } = plan
  const wanted = { hidden: body.differentiable, parameters: differentiate, labelSmoothing }
  const result = await head.loss(selected.hidden, selected.labels, seed, wanted)
  const differentiable = body.differentiable || (differentiate && head.requiresGrad)
  const backward: Backward = async (scale, options) => {
    const gradients = await result.backward(scale)
    const after = addInTurn(gradients, options.after)
    const { hidden } = gradients
    if (hidden === null) return await after
    await body.backward(selected.restore(hidden), scale, { ...options, after })
  }
  return {
    loss: new ModelLoss(result.value + body.penalty, differentiable ? backward : null),
    logits: logitsOf(result.logits)
  }
}

/** [batch, 1] for sequences, [batch, seq] for tokens. Throws INVALID_ARGUMENT. */
function readLabels(labels: Ids, shape: readonly number[], kind: Plan['kind']): Tensor<'int64'> {
  return kind === 'token' ? idMatrix(labels, 'labels', shape) : sequenceLabels(labels, shape[0]!)
}
