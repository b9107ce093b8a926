// Everything of a model before its head: embeddings, prompts, remote blocks, and their backward pass.
import { slicePositions } from '../../common/rows.ts'
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { type Entered, numberTokens } from '../local/embeddings.ts'
import { prependColumns } from '../local/inputs.ts'
import type { ForwardPass } from '../remote/chain.ts'
import type { BackwardOptions } from '../train/index.ts'
import type { TuningMethod, TuningPass } from '../tuning/index.ts'
import type { ModelParts } from './model-parts.ts'

export interface BackboneInput {
  /** [batch, seq] */
  readonly ids: Tensor<'int64'>
  /** [batch, seq]; undefined: no padding */
  readonly mask: Tensor<'int64'> | undefined
  /** of the tokens, [batch, seq]; default 0 each, as those of virtual tokens are */
  readonly types?: Tensor<'int64'>
  /** the blocks to pass, of a model with two stacks; default: all */
  readonly stack?: 'encoder'
}

export interface PassPlan {
  /** probability of dropout in this pass */
  readonly dropout: number
  /** whether the tuning method's own dropout acts */
  readonly training: boolean
  readonly seed: number
  /** false: no activations are kept for a backward pass */
  readonly differentiate: boolean
  /** share of the target that is spread over all classes; default 0 */
  readonly labelSmoothing?: number
  readonly signal?: AbortSignal
}

export interface BackbonePass {
  /** [batch, before + seq, hidden] */
  readonly hidden: Float32Tensor
  /** virtual tokens before every row */
  readonly before: number
  /** whether anything before the head requires a gradient, so that `backward` has something to do */
  readonly differentiable: boolean
  /** term that the tuning method adds to the loss; 0 outside training */
  readonly penalty: number
  /**
   * From the gradient of `hidden`, which belongs to `scale` times the loss: adds those of embeddings and adapter, and that
   * of the penalty, once `after` has resolved.
   */
  backward(gradient: Float32Tensor, scale: number, options: Pick<BackwardOptions, 'after' | 'signal'>): Promise<void>
}

/** Throws INVALID_ARGUMENT for ids outside the vocabulary, and the errors of the servers. */
export async function forwardBody(
  parts: ModelParts,
  tuning: TuningMethod | null,
  { ids, mask, types, stack }: BackboneInput,
  plan: PassPlan
): Promise<BackbonePass> {
  const tuned = (await tuning?.begin?.({ training: plan.training, seed: plan.seed, rows: ids.shape[0] })) ?? tuning
  const prompt = tuned?.promptEmbeddings() ?? null
  const before = prompt?.shape.at(-2) ?? 0
  const trainsEmbeddings = plan.differentiate && parts.embeddings.requiresGrad
  const trainsTuning = plan.differentiate && (tuning?.parameters.some(({ requiresGrad }) => requiresGrad) ?? false)
  const differentiable = trainsEmbeddings || trainsTuning

  const wholeMask = mask && prependColumns(mask, before, 1)
  const { family, config } = parts.checkpoint
  const numbered = { ids, mask: wholeMask, before, first: tuning?.prefixTokens }
  const positions = numberTokens(family.positionRule(config), numbered)
  const entered = await parts.embeddings.enter(ids, positions, prompt, types && prependColumns(types, before, 0))
  const blocks = stack === undefined ? parts.blocks : parts.blocks.stack(stack)
  const pass = await blocks.forward(entered.hidden, {
    mask: wholeMask,
    ports: tuned?.ports() ?? {},
    dropout: plan.dropout > 0 ? { probability: plan.dropout, seed: plan.seed } : undefined,
    keepResiduals: differentiable,
    signal: plan.signal
  })
  const penalty = trainsTuning && plan.training ? tuning?.penalty?.() : undefined
  const taped = { parts, tuned, ids, entered, pass, before, trainsEmbeddings, trainsTuning }
  return {
    hidden: pass.hidden,
    before,
    differentiable,
    penalty: penalty?.value ?? 0,
    async backward(gradient, scale, options) {
      await backwardBody(taped, gradient, options)
      penalty?.backward(scale)
    }
  }
}

interface Taped {
  readonly parts: ModelParts
  readonly tuned: TuningPass | null
  readonly ids: Tensor<'int64'>
  readonly entered: Entered
  readonly pass: ForwardPass
  readonly before: number
  readonly trainsEmbeddings: boolean
  readonly trainsTuning: boolean
}

/** From the last block's output to everything that is trained before it. */
async function backwardBody(
  taped: Taped,
  gradient: Float32Tensor,
  { after, signal }: Pick<BackwardOptions, 'after' | 'signal'>
): Promise<void> {
  const { parts, tuned, ids, entered, pass, before, trainsEmbeddings, trainsTuning } = taped
  const trainsPrompt = trainsTuning && before > 0
  const inputGradient = trainsEmbeddings || trainsPrompt
  const gradients = await pass.backward(gradient, { inputGradient, signal })
  await after
  if (trainsTuning) tuned!.accumulatePorts(gradients.ports)
  if (inputGradient) {
    const rows = await entered.backward(gradients.hidden)
    if (trainsPrompt) tuned!.accumulatePrompt(slicePositions(rows, 0, before))
    if (trainsEmbeddings) parts.embeddings.accumulate(ids, rows)
  }
  if (trainsTuning) await tuned!.finish?.()
}
