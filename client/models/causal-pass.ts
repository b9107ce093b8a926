// One pass of a causal language model: the body, and the head over the positions that count.
import { pickPositions, scatterPositions } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import { type Ids, idMatrix, maskMatrix, prependColumns } from '../local/inputs.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { forwardBody, type PassPlan } from './backbone.ts'
import { addInTurn, type Backward, checkLabels, ModelLoss } from './loss.ts'
import type { CausalParts } from './model-parts.ts'

/** A batch for a causal language model. */
export interface CausalInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** `[batch, seq]`: the tokens themselves, -100 where no loss is taken; they are shifted inside */
  readonly labels?: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
}

export interface CausalPlan extends PassPlan {
  /** false: the vocabulary is scored only where labels are */
  readonly logits: boolean
}

export interface CausalResult {
  readonly loss: ModelLoss | null
  readonly logits: Float32Tensor | null
}

/**
 * Positions whose next token is a label, as one row: position k predicts label k + 1. So the head's work, which is
 * proportional to the vocabulary, is done only where it counts.
 */
function labelledRow(
  hidden: Float32Tensor,
  labels: Tensor<'int64'>
): { hidden: Float32Tensor; labels: Tensor<'int64'>; at: number[] } {
  const [batch, sequence] = hidden.shape as [number, number, number]
  const at: number[] = []
  for (let row = 0; row < batch; row++) {
    for (let position = 0; position < sequence - 1; position++) {
      const index = row * sequence + position
      if (labels.data[index + 1] !== BigInt(ignoredLabel)) at.push(index)
    }
  }
  const targets = tensor('int64', [1, at.length + 1])
  targets.data[0] = BigInt(ignoredLabel)
  for (const [place, index] of at.entries()) targets.data[place + 1] = labels.data[index + 1]!
  // one more, whose label is nothing, so that the shifted row is as long as its labels
  const states = pickPositions(hidden, [...at, at.at(-1) ?? 0], 1)
  return { hidden: states, labels: targets, at }
}

/** Throws INVALID_ARGUMENT for input that does not fit together, and what the way through the servers throws. */
export async function forwardCausal(
  parts: CausalParts,
  tuning: TuningMethod | null,
  input: CausalInput,
  plan: CausalPlan
): Promise<CausalResult> {
  const ids = idMatrix(input.inputIds, 'inputIds')
  const labels = input.labels === undefined ? null : idMatrix(input.labels, 'labels', ids.shape)
  const mask = maskMatrix(input.attentionMask, ids.shape)
  if (labels !== null) checkLabels(labels, parts.checkpoint.config.vocabSize, "the model's tokens")

  const differentiate = plan.differentiate && labels !== null
  const body = await forwardBody(parts, tuning, { ids, mask }, { ...plan, differentiate })
  if (labels === null) return { loss: null, logits: await parts.head.logits(body.hidden) }

  const { labelSmoothing } = plan
  const wanted = { hidden: body.differentiable, parameters: differentiate, labelSmoothing }
  const targets = prependColumns(labels, body.before, ignoredLabel)
  const row = plan.logits ? null : labelledRow(body.hidden, targets)
  const result = await parts.head.loss(row?.hidden ?? body.hidden, row?.labels ?? targets, wanted)

  const differentiable = body.differentiable || (differentiate && parts.head.requiresGrad)
  const backward: Backward = async (scale, options) => {
    const gradients = await result.backward(scale)
    const after = addInTurn(gradients, options.after)
    const { hidden } = gradients
    if (hidden === null) return await after
    const full = row === null ? hidden : scatterPositions(hidden, row.at, body.hidden.shape)
    await body.backward(full, scale, { ...options, after })
  }
  return {
    loss: new ModelLoss(result.value + body.penalty, differentiable ? backward : null),
    logits: plan.logits ? result.logits : null
  }
}
