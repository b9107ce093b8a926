// One pass through both stacks of a model: tokens through the encoder, given tokens through the decoder; backwards through all of it.
import { slicePositions } from '../../common/rows.ts'
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { stackNamed } from '../../model/config/config.ts'
import { portsOf } from '../../model/layers/ports.ts'
import type { StackBridge } from '../heads/bridge.ts'
import type { HeadPass } from '../heads/program.ts'
import { type Entered, numberTokens } from '../local/embeddings.ts'
import { prependColumns } from '../local/inputs.ts'
import type { ForwardPass } from '../remote/chain.ts'
import type { EncoderStates } from '../remote/passes/encoder-states.ts'
import type { TuningMethod, TuningPass } from '../tuning/index.ts'
import type { BackboneInput, BackbonePass, PassPlan } from './backbone.ts'
import type { ModelParts } from './model-parts.ts'

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

/** A model's parts with what comes between its stacks. */
export interface StacksParts extends ModelParts {
  readonly bridge: StackBridge
}

interface Taped {
  readonly parts: StacksParts
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
  { bridge, embeddings, ...parts }: StacksParts,
  tuning: TuningMethod | null,
  tuned: TuningPass | null,
  differentiate: boolean
): Trained {
  const trainsTuning = differentiate && (tuning?.parameters.some(({ requiresGrad }) => requiresGrad) ?? false)
  const trainsEmbeddings = differentiate && embeddings.requiresGrad
  const trainsDecoderEmbeddings = differentiate && bridge.embeddings.requiresGrad
  const encoderNorm = differentiate && bridge.requiresGrad
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

/**
 * The decoder's states of `written`, which attends to what the encoder makes of `read`. Virtual tokens come before what the encoder
 * reads. Throws INVALID_ARGUMENT for ids outside the vocabulary, and what the way through the servers throws.
 */
export async function forwardStacks(
  parts: StacksParts,
  tuning: TuningMethod | null,
  { read, written }: { readonly read: BackboneInput; readonly written: BackboneInput },
  plan: PassPlan
): Promise<BackbonePass> {
  const { bridge, blocks } = parts
  const { training, seed, signal } = plan
  const tuned = (await tuning?.begin?.({ training, seed, rows: read.ids.shape[0] })) ?? tuning
  const trains = trainedBy(parts, tuning, tuned, plan.differentiate)
  const dropout = plan.dropout > 0 ? { probability: plan.dropout, seed } : undefined
  const ports = tuned?.ports() ?? {}

  const entry = await enterEncoder(parts, tuned, read)
  const encoder = await blocks.stack('encoder').forward(entry.entered.hidden, {
    mask: entry.mask,
    ports,
    dropout,
    keepResiduals: trains.encoder,
    signal
  })
  const left = await bridge.leaveEncoder(encoder.hidden, { hidden: trains.encoder, parameters: trains.encoderNorm })
  const states = withoutPadding(left.results.states as Float32Tensor, entry.mask)

  const { family, config } = parts.checkpoint
  const numbered = { ...written, before: 0, first: tuning?.prefixTokens }
  const entered = await bridge.embeddings.enter(written.ids, numberTokens(family.positionRule(config), numbered))
  const decoder = await blocks.stack('decoder').forward(entered.hidden, {
    mask: written.mask,
    encoder: states,
    ports,
    dropout,
    keepResiduals: trains.body,
    signal
  })
  const penalty = trains.tuning && training ? tuning?.penalty?.() : undefined
  const taped = { parts, tuned, ids: read.ids, decoderIds: written.ids, entry, encoder, left, entered, decoder, trains }
  return {
    hidden: decoder.hidden,
    before: 0,
    differentiable: trains.body,
    penalty: penalty?.value ?? 0,
    async backward(gradient, scale, options) {
      await backwardStacks(taped, gradient, options)
      penalty?.backward(scale)
    }
  }
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
    parts.bridge.embeddings.accumulate(decoderIds, rows)
  }
  if (ofEncoder !== null && inputGradient) {
    const rows = await entry.entered.backward(ofEncoder.hidden)
    if (trainsPrompt) tuned!.accumulatePrompt(slicePositions(rows, 0, entry.before))
    if (trains.embeddings) parts.embeddings.accumulate(ids, rows)
  }
  if (trains.tuning) await tuned!.finish?.()
}
