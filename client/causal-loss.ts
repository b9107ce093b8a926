// Forward through the whole model, and the way back of the loss: head, remote blocks, embeddings, adapter.
import { SwarmError } from '../common/errors.ts'
import { type Tensor, tensor } from '../common/tensor.ts'
import { ignoredLabel } from '../model/loss.ts'
import { type Entered, leadingPositions, positionsOf } from './embeddings.ts'
import { type Ids, idMatrix, maskMatrix, prependColumns } from './inputs.ts'
import type { ModelParts } from './parts.ts'
import type { ForwardPass } from './remote/chain.ts'
import type { Loss } from './train/index.ts'
import type { TuningMethod, TuningPass } from './tuning/index.ts'

type Floats = Tensor<'float32'>

export interface CausalInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** [batch, seq]: the tokens themselves, -100 where no loss is taken; they are shifted inside */
  readonly labels?: Ids
  /** [batch, seq]: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
}

export interface CausalPlan {
  /** probability of dropout in this pass */
  readonly dropout: number
  /** whether the tuning method's own dropout acts */
  readonly training: boolean
  readonly seed: number
  /** false: nothing is kept for a backward pass */
  readonly differentiate: boolean
  /** false: the vocabulary is scored only where labels are */
  readonly logits: boolean
  readonly signal?: AbortSignal
}

/** A loss that knows its way back. */
export class CausalLoss implements Loss {
  readonly value: number
  readonly #backward: ((scale: number, signal?: AbortSignal) => Promise<void>) | null
  #used = false

  constructor(value: number, backward: ((scale: number, signal?: AbortSignal) => Promise<void>) | null) {
    this.value = value
    this.#backward = backward
  }

  /** The value, as PyTorch has it. */
  item(): number {
    return this.value
  }

  /**
   * Adds the gradient of `scale` times the loss to `grad` of every parameter that requires it; once. Throws
   * INVALID_ARGUMENT the second time and where nothing requires a gradient, and what the way through the servers throws.
   */
  async backward(options: { scale?: number; signal?: AbortSignal } = {}): Promise<void> {
    if (this.#backward === null) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        'backward: no parameter requires a gradient, or the forward pass was told to keep nothing (training: false)'
      )
    }
    if (this.#used) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        'backward: was called before; what it needs is kept once (run forward again)'
      )
    }
    this.#used = true
    await this.#backward(options.scale ?? 1, options.signal)
  }
}

export interface CausalResult {
  readonly loss: CausalLoss | null
  readonly logits: Floats | null
}

/**
 * Positions whose next token is a label, as one row: position k predicts label k + 1. So the head's work, which is
 * proportional to the vocabulary, is done only where it counts.
 */
function labelledRow(
  hidden: Floats,
  labels: Tensor<'int64'>
): { hidden: Floats; labels: Tensor<'int64'>; at: number[] } {
  const [batch, sequence, width] = hidden.shape as [number, number, number]
  const at: number[] = []
  for (let row = 0; row < batch; row++) {
    for (let position = 0; position < sequence - 1; position++) {
      const index = row * sequence + position
      if (labels.data[index + 1] !== BigInt(ignoredLabel)) at.push(index)
    }
  }
  const states = tensor('float32', [1, at.length + 1, width])
  const targets = tensor('int64', [1, at.length + 1])
  targets.data[0] = BigInt(ignoredLabel)
  for (const [place, index] of at.entries()) {
    states.data.set(hidden.data.subarray(index * width, (index + 1) * width), place * width)
    targets.data[place + 1] = labels.data[index + 1]!
  }
  return { hidden: states, labels: targets, at }
}

/** The gradient of `labelledRow` undone: zeros where no label is. */
function scatterRow(gradient: Floats, at: readonly number[], shape: readonly number[]): Floats {
  const width = shape[2]!
  const out = tensor('float32', shape)
  for (const [place, index] of at.entries()) {
    out.data.set(gradient.data.subarray(place * width, (place + 1) * width), index * width)
  }
  return out
}

/** Throws INVALID_ARGUMENT for input that does not fit together, and what the way through the servers throws. */
export async function forwardCausal(
  parts: ModelParts,
  tuning: TuningMethod | null,
  input: CausalInput,
  plan: CausalPlan
): Promise<CausalResult> {
  const ids = idMatrix(input.inputIds, 'inputIds')
  const labels = input.labels === undefined ? null : idMatrix(input.labels, 'labels', ids.shape)
  const mask = maskMatrix(input.attentionMask, ids.shape)
  if (labels !== null) checkLabels(labels, parts.checkpoint.config.vocabSize)

  const tuned = (await tuning?.begin?.({ training: plan.training, seed: plan.seed })) ?? tuning
  const prompt = tuned?.promptEmbeddings() ?? null
  const before = prompt?.shape[0] ?? 0
  const ports = tuned?.ports() ?? {}
  const trainsEmbeddings = plan.differentiate && parts.embeddings.requiresGrad
  const trainsTuning = plan.differentiate && (tuning?.parameters.some(({ requiresGrad }) => requiresGrad) ?? false)
  const keepResiduals = labels !== null && (trainsEmbeddings || trainsTuning)

  const wholeMask = mask && prependColumns(mask, before, 1)
  const [batch, sequence] = ids.shape as [number, number]
  const positions = positionsOf(wholeMask, [batch, before + sequence], tuning?.prefixTokens)
  const entered = await parts.embeddings.enter(ids, positions, prompt)
  const pass = await parts.blocks.forward(entered.hidden, {
    mask: wholeMask,
    ports,
    dropout: plan.dropout > 0 ? { probability: plan.dropout, seed: plan.seed } : undefined,
    keepResiduals,
    signal: plan.signal
  })
  if (labels === null) return { loss: null, logits: await parts.head.logits(pass.hidden) }

  const wanted = { hidden: keepResiduals, parameters: plan.differentiate }
  const targets = prependColumns(labels, before, ignoredLabel)
  const row = plan.logits ? null : labelledRow(pass.hidden, targets)
  const result = await parts.head.loss(row?.hidden ?? pass.hidden, row?.labels ?? targets, wanted)

  const differentiable = keepResiduals || (plan.differentiate && parts.head.requiresGrad)
  const penalty = trainsTuning && plan.training ? tuning?.penalty?.() : undefined
  const backward = async (scale: number, signal?: AbortSignal): Promise<void> => {
    const gradient = await result.backward(scale)
    if (gradient === null) return
    const full = row === null ? gradient : scatterRow(gradient, row.at, pass.hidden.shape)
    penalty?.backward(scale)
    await backwardBlocks({ parts, tuned, ids, entered, pass, before, trainsEmbeddings, trainsTuning }, full, signal)
  }
  return {
    loss: new CausalLoss(result.value + (penalty?.value ?? 0), differentiable ? backward : null),
    logits: plan.logits ? result.logits : null
  }
}

interface Taped {
  readonly parts: ModelParts
  readonly tuned: TuningPass | null
  readonly ids: Tensor<'int64'>
  readonly entered: Entered
  readonly pass: ForwardPass
  /** virtual tokens before every row */
  readonly before: number
  readonly trainsEmbeddings: boolean
  readonly trainsTuning: boolean
}

/** From the last block's output to everything that is trained before it. */
async function backwardBlocks(taped: Taped, gradient: Floats, signal?: AbortSignal): Promise<void> {
  const { parts, tuned, ids, entered, pass, before, trainsEmbeddings, trainsTuning } = taped
  const trainsPrompt = trainsTuning && before > 0
  const inputGradient = trainsEmbeddings || trainsPrompt
  const gradients = await pass.backward(gradient, { inputGradient, signal })
  if (trainsTuning) tuned!.accumulatePorts(gradients.ports)
  if (inputGradient) {
    const rows = await entered.backward(gradients.hidden)
    if (trainsPrompt) tuned!.accumulatePrompt(leadingPositions(rows, before))
    if (trainsEmbeddings) parts.embeddings.accumulate(ids, rows)
  }
  if (trainsTuning) await tuned!.finish?.()
}

function checkLabels(labels: Tensor<'int64'>, vocabSize: number): void {
  const wrong = labels.data.find(label => label !== BigInt(ignoredLabel) && (label < 0n || label >= BigInt(vocabSize)))
  if (wrong !== undefined) {
    throw new SwarmError('INVALID_ARGUMENT', `label ${wrong}: expected ${ignoredLabel} or 0 to ${vocabSize - 1}`)
  }
}
