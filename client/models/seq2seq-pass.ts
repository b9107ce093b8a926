// One pass of an encoder-decoder model: tokens through the encoder, labels or given tokens through the decoder, and the head over the
// positions that count; backwards through all of it.

import { SwarmError } from '../../common/errors.ts'
import { pickPositions, scatterPositions, slicePositions } from '../../common/rows.ts'
import { type Float32Tensor, int64, type Tensor } from '../../common/tensor.ts'
import { stackNamed } from '../../model/config/config.ts'
import { portsOf } from '../../model/layers/ports.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { HeadPass } from '../heads/program.ts'
import type { Seq2SeqHead } from '../heads/seq2seq.ts'
import { type Entered, numberTokens } from '../local/embeddings.ts'
import { type Ids, idMatrix, maskMatrix, prependColumns } from '../local/inputs.ts'
import type { ForwardPass } from '../remote/chain.ts'
import type { EncoderStates } from '../remote/passes/encoder-states.ts'
import type { TuningMethod, TuningPass } from '../tuning/index.ts'
import type { BackboneInput, PassPlan } from './backbone.ts'
import { addInTurn, type Backward, checkLabels, ModelLoss } from './loss.ts'
import type { ModelParts, TaskParts } from './model-parts.ts'

/** A batch for an encoder-decoder model. */
export interface Seq2SeqInput {
  /** [batch, source]: what the encoder reads */
  readonly inputIds: Ids
  /** [batch, source]: 1 = token, 0 = padding on the right */
  readonly attentionMask?: Ids
  /** [batch, target]: what is to be written, -100 where no loss is taken; the decoder reads them one place to the right */
  readonly labels?: Ids
  /** [batch, target]: what the decoder reads; default: the labels, shifted to the right */
  readonly decoderInputIds?: Ids
  /** [batch, target]: 1 = token, 0 = padding on the right; default: all are tokens */
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

/** The ports of a stack's blocks. */
export function portsOfStack({ checkpoint }: ModelParts, tuned: TuningPass | null, name: 'encoder' | 'decoder') {
  return portsOf(tuned?.ports() ?? {}, stackNamed(checkpoint.config, name)!.blocks)
}

/** What enters the encoder: embedded tokens behind the prompts of the adapter. */
export interface EncoderEntry {
  readonly entered: Entered
  /** [batch, before + source]; undefined: no padding */
  readonly mask: Tensor<'int64'> | undefined
  /** virtual tokens before every row */
  readonly before: number
}

/** Throws INVALID_ARGUMENT for ids outside the vocabulary. */
export async function enterEncoder(
  { embeddings, checkpoint }: Pick<ModelParts, 'embeddings' | 'checkpoint'>,
  tuned: TuningPass | null,
  { ids, mask }: BackboneInput
): Promise<EncoderEntry> {
  const prompt = tuned?.promptEmbeddings() ?? null
  const before = prompt?.shape.at(-2) ?? 0
  const whole = mask && prependColumns(mask, before, 1)
  const rule = checkpoint.family.positionRule(checkpoint.config)
  const positions = numberTokens(rule, { ids, mask: whole, before })
  return { entered: await embeddings.enter(ids, positions, prompt), mask: whole, before }
}

/** States [batch, source, hidden] with zeros at padding: what servers make of padding reaches no token. */
export function withoutPadding(hidden: Float32Tensor, mask: Tensor<'int64'> | undefined): EncoderStates {
  if (mask === undefined) return { hidden }
  const width = hidden.shape[2]!
  const data = hidden.data.slice()
  for (const [place, value] of mask.data.entries()) {
    if (value === 0n) data.fill(0, place * width, (place + 1) * width)
  }
  return { hidden: { ...hidden, data }, mask }
}

interface Taped {
  readonly parts: Seq2SeqParts
  readonly tuned: TuningPass | null
  readonly ids: Tensor<'int64'>
  readonly decoderIds: Tensor<'int64'>
  readonly entry: EncoderEntry
  readonly encoder: ForwardPass
  readonly left: HeadPass
  readonly entered: Entered
  readonly decoder: ForwardPass
  /** what requires a gradient */
  readonly trains: Trained
}

interface Trained {
  /** any parameter of the adapter */
  readonly tuning: boolean
  readonly embeddings: boolean
  readonly decoderEmbeddings: boolean
  readonly encoderNorm: boolean
  /** anything before the encoder's last norm */
  readonly encoder: boolean
  /** anything before the head */
  readonly body: boolean
}

function trainedBy(
  { head, embeddings, ...parts }: Seq2SeqParts,
  tuning: TuningMethod | null,
  tuned: TuningPass | null,
  differentiate: boolean
): Trained {
  const trainsTuning = differentiate && (tuning?.parameters.some(({ requiresGrad }) => requiresGrad) ?? false)
  const trainsEmbeddings = differentiate && embeddings.requiresGrad
  const trainsDecoderEmbeddings = differentiate && head.decoderEmbeddings.requiresGrad
  const encoderNorm = differentiate && head.normRequiresGrad
  const ports = Object.keys(portsOfStack({ ...parts, embeddings }, tuned, 'encoder')).length
  const encoder = trainsEmbeddings || (trainsTuning && (ports > 0 || tuned?.promptEmbeddings() != null))
  return {
    tuning: trainsTuning,
    embeddings: trainsEmbeddings,
    decoderEmbeddings: trainsDecoderEmbeddings,
    encoderNorm,
    encoder,
    body: trainsTuning || trainsEmbeddings || trainsDecoderEmbeddings || encoderNorm
  }
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

  const { head, blocks } = parts
  const differentiate = plan.differentiate && labels !== null
  const tuned = (await tuning?.begin?.({ training: plan.training, seed: plan.seed, rows: batch })) ?? tuning
  const trains = trainedBy(parts, tuning, tuned, differentiate)
  const dropout = plan.dropout > 0 ? { probability: plan.dropout, seed: plan.seed } : undefined
  const ports = tuned?.ports() ?? {}
  const { signal } = plan

  const entry = await enterEncoder(parts, tuned, { ids, mask })
  const encoder = await blocks.stack('encoder').forward(entry.entered.hidden, {
    mask: entry.mask,
    ports,
    dropout,
    keepResiduals: trains.encoder,
    signal
  })
  const left = await head.leaveEncoder(encoder.hidden, { hidden: trains.encoder, parameters: trains.encoderNorm })
  const states = withoutPadding(left.results.states as Float32Tensor, entry.mask)

  const { family, config } = parts.checkpoint
  const numbered = { ...written, before: 0, first: tuning?.prefixTokens }
  const entered = await head.decoderEmbeddings.enter(written.ids, numberTokens(family.positionRule(config), numbered))
  const decoder = await blocks.stack('decoder').forward(entered.hidden, {
    mask: written.mask,
    encoder: states,
    ports,
    dropout,
    keepResiduals: trains.body,
    signal
  })
  if (labels === null) return { loss: null, logits: await head.logits(decoder.hidden) }

  const penalty = trains.tuning && plan.training ? tuning?.penalty?.() : undefined
  const wanted = { hidden: trains.body, parameters: differentiate, labelSmoothing: plan.labelSmoothing }
  const scored = plan.logits ? null : labelledRow(decoder.hidden, labels)
  const result = await head.loss(scored?.hidden ?? decoder.hidden, scored?.labels ?? labels, wanted)

  const taped = { parts, tuned, ids, decoderIds: written.ids, entry, encoder, left, entered, decoder, trains }
  const backward: Backward = async (scale, options) => {
    const gradients = await result.backward(scale)
    const after = addInTurn(gradients, options.after)
    const { hidden } = gradients
    if (hidden === null) return await after
    const full = scored === null ? hidden : scatterPositions(hidden, scored.at, decoder.hidden.shape)
    await backwardStacks(taped, full, { ...options, after })
    penalty?.backward(scale)
  }
  const differentiable = trains.body || (differentiate && head.requiresGrad)
  return {
    loss: new ModelLoss(result.value + (penalty?.value ?? 0), differentiable ? backward : null),
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

/** From the decoder's output to everything that is trained before it. */
async function backwardStacks(
  taped: Taped,
  gradient: Float32Tensor,
  { after, signal }: { after?: Promise<void>; signal?: AbortSignal }
): Promise<void> {
  const { parts, tuned, ids, decoderIds, entry, encoder, left, entered, decoder, trains } = taped
  const ofDecoder = await decoder.backward(gradient, {
    inputGradient: trains.decoderEmbeddings,
    encoderGradient: trains.encoder || trains.encoderNorm,
    signal
  })
  const ofNorm = ofDecoder.encoder && (await left.backward(ofDecoder.encoder))
  const trainsPrompt = trains.tuning && entry.before > 0
  const inputGradient = trains.embeddings || trainsPrompt
  const ofEncoder =
    trains.encoder && ofNorm?.hidden ? await encoder.backward(ofNorm.hidden, { inputGradient, signal }) : null
  await after
  ofNorm?.add()
  if (trains.tuning) tuned!.accumulatePorts({ ...ofDecoder.ports, ...ofEncoder?.ports })
  if (trains.decoderEmbeddings) {
    const rows = await entered.backward(ofDecoder.hidden)
    parts.head.decoderEmbeddings.accumulate(decoderIds, rows)
  }
  if (ofEncoder !== null && inputGradient) {
    const rows = await entry.entered.backward(ofEncoder.hidden)
    if (trainsPrompt) tuned!.accumulatePrompt(slicePositions(rows, 0, entry.before))
    if (trains.embeddings) parts.embeddings.accumulate(ids, rows)
  }
  if (trains.tuning) await tuned!.finish?.()
}
