// One pass of a model with the head of a task: the body, and the head over the states that it takes.
import { SwarmError } from '../../common/errors.ts'
import { lastTokens, pickPositions, rowView, scatterPositions } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { stackNamed } from '../../model/config/config.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { ClassificationHead, HeadStates, HeadTarget } from '../heads/classification.ts'
import { type Ids, idMatrix, impliedMask, maskMatrix, prependColumns, typeMatrix } from '../local/inputs.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type BackboneInput, forwardBody, type PassPlan } from './backbone.ts'
import { addInTurn, type Backward, ModelLoss } from './loss.ts'
import type { TaskParts } from './model-parts.ts'
import { forwardStacks } from './stacks-pass.ts'

export type HeadedParts = TaskParts<ClassificationHead>

/** A batch of token ids. */
export interface TokenInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
  /** `[batch, seq]`: which text of a pair each token is of, 0 or 1, for models with token types; default 0 each */
  readonly tokenTypeIds?: Ids
}

/** For checkOptions. */
export const tokenKeys = { inputIds: true, attentionMask: true, tokenTypeIds: true } as const

export interface TaskResult {
  readonly loss: ModelLoss | null
  /** [batch, positions, classes] of the states that the head takes; virtual tokens are among them where it takes every one */
  readonly logits: Float32Tensor
  /** virtual tokens before every row */
  readonly before: number
}

/** What the head takes of the hidden states. */
interface Selection {
  readonly states: HeadStates
  /** The gradient of what was taken as that of all hidden states. */
  restore(gradient: Float32Tensor): Float32Tensor
}

interface Tokens {
  /** [batch, seq] */
  readonly ids: Tensor<'int64'>
  /** [batch, seq]; undefined: no padding */
  readonly mask: Tensor<'int64'> | undefined
  /** what counts as padding where the head takes one token */
  readonly padding: Tensor<'int64'> | undefined
}

/** The last end token of each row. Throws INVALID_ARGUMENT where a row has none. */
function endTokens({ ids, mask }: Tokens, ends: readonly number[], before: number): number[] {
  const [batch, sequence] = ids.shape as [number, number]
  const isEnd = (at: number): boolean => ends.includes(Number(ids.data[at])) && mask?.data[at] !== 0n
  return Array.from({ length: batch }, (_, row) => {
    for (let position = sequence - 1; position >= 0; position--) {
      if (isEnd(row * sequence + position)) return row * (before + sequence) + before + position
    }
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `inputIds, row ${row}: no end token (${ends.join(', ')}), whose state the head scores: encode with special tokens`
    )
  })
}

/** The first token of each row; a virtual one where there are some, as in PEFT. */
function firstTokens({ ids, mask }: Tokens, before: number): number[] {
  const [batch, sequence] = ids.shape as [number, number]
  return Array.from({ length: batch }, (_, row) => {
    const first = mask && before === 0 ? mask.data.indexOf(1n, row * sequence) - row * sequence : 0
    return row * (before + sequence) + (first >= 0 && first < sequence ? first : 0)
  })
}

/** What each position counts in the mean over the tokens of its row, [batch, 1, before + seq]. */
function shares({ ids, mask }: Tokens, before: number): Float32Tensor {
  const [batch, sequence] = ids.shape as [number, number]
  const whole = mask && prependColumns(mask, before, 1)
  const length = before + sequence
  const share = tensor('float32', [batch, 1, length])
  for (let row = 0; row < batch; row++) {
    const isToken = (position: number): boolean => whole === undefined || whole.data[row * length + position] === 1n
    const at = Array.from({ length }, (_, position) => position).filter(isToken)
    for (const position of at) share.data[row * length + position] = 1 / at.length
  }
  return share
}

function select(parts: HeadedParts, hidden: Float32Tensor, tokens: Tokens, before: number): Selection {
  const { takes } = parts.head.description
  const whole = { restore: (gradient: Float32Tensor) => gradient }
  if (takes === 'every') return { states: { hidden }, ...whole }
  if (takes === 'mean') return { states: { hidden, share: shares(tokens, before) }, ...whole }
  const places = {
    last: () => lastTokens(tokens.padding, tokens.ids.shape, before),
    first: () => firstTokens(tokens, before),
    end: () => endTokens(tokens, parts.checkpoint.config.eosTokenIds, before)
  }
  const at = places[takes]()
  return {
    states: { hidden: pickPositions(hidden, at, at.length) },
    restore: gradient => scatterPositions(gradient, at, hidden.shape)
  }
}

/** The blocks that a head without a decoder needs, of a model with two stacks. */
function stackOfHead({ checkpoint: { config } }: HeadedParts): 'encoder' | undefined {
  const hasTwo = stackNamed(config, 'encoder') !== undefined && stackNamed(config, 'decoder') !== undefined
  return hasTwo ? 'encoder' : undefined
}

/**
 * What the decoder reads where it repeats what the encoder reads: the same tokens, one place to the right, as in transformers. Throws
 * INVALID_ARGUMENT for padding on the left, behind which the first token would follow padding instead of the start token.
 */
function repeated({ checkpoint: { family, config } }: HeadedParts, { ids, mask }: BackboneInput): BackboneInput {
  const [batch, sequence] = ids.shape as [number, number]
  for (let row = 0; row < batch; row++) {
    const places = mask?.data.subarray(row * sequence, (row + 1) * sequence)
    const first = places?.indexOf(0n) ?? -1
    if (first !== -1 && places!.indexOf(1n, first) !== -1) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `attentionMask, row ${row}: expected padding on the right, found some before a token: a ${config.modelType} reads the row in its decoder too, from the first place on`
      )
    }
  }
  return { ids: family.decoderInputs(config, ids), mask: undefined }
}

/** What is added to logits at padding: no place for an answer. */
const never = -1e30

/** Zeros, and `never` at the padding of `mask`, [batch, before + seq]. */
export function maskedLogits(mask: Tensor<'int64'> | undefined, shape: readonly number[]): Float32Tensor {
  const padding = tensor('float32', shape)
  if (mask !== undefined)
    for (const [place, value] of mask.data.entries()) if (value === 0n) padding.data[place] = never
  return padding
}

/** A target as the head compares it, where virtual tokens come before the row. */
function shifted(target: HeadTarget, takesEvery: boolean, before: number): HeadTarget {
  if (before === 0 || !takesEvery || !('labels' in target)) return target
  const { labels } = target
  if (target.kind === 'classes') return { ...target, labels: prependColumns(labels, before, ignoredLabel) }
  const { shape, data } = target.padding
  const padding = tensor('float32', [shape[0]!, before + shape[1]!])
  for (let row = 0; row < shape[0]!; row++) {
    padding.data.set(rowView(data, shape[1]!, row), row * (before + shape[1]!) + before)
  }
  const moved = labels.data.map(label => (label === BigInt(ignoredLabel) ? label : label + BigInt(before)))
  return { ...target, labels: { ...labels, data: moved }, padding }
}

/**
 * `targetOf` makes what the loss compares with, for the shape [batch, seq] of the ids and their mask; null: logits alone. Throws INVALID_ARGUMENT for
 * input that does not fit together, and what the way through the servers throws.
 */
export async function forwardTask(
  parts: HeadedParts,
  tuning: TuningMethod | null,
  input: TokenInput,
  targetOf: ((shape: readonly [number, number], mask: Tensor<'int64'> | undefined) => HeadTarget) | null,
  plan: PassPlan
): Promise<TaskResult> {
  const { head, checkpoint } = parts
  const ids = idMatrix(input.inputIds, 'inputIds')
  const mask = maskMatrix(input.attentionMask, ids.shape)
  const { family, config } = checkpoint
  const types = typeMatrix(input.tokenTypeIds, ids.shape, family.tokenTypes(config))
  const target = targetOf?.(ids.shape as [number, number], mask) ?? null
  const differentiate = plan.differentiate && target !== null
  const wholePlan = { ...plan, differentiate }
  const bridge = head.bridge
  const body =
    bridge === null
      ? await forwardBody(parts, tuning, { ids, mask, types, stack: stackOfHead(parts) }, wholePlan)
      : await forwardStacks(
          { ...parts, bridge },
          tuning,
          { read: { ids, mask }, written: repeated(parts, { ids, mask }) },
          wholePlan
        )
  const { before } = body
  const padding = input.attentionMask === undefined ? impliedMask(ids, config.padTokenId) : mask
  const { states, restore } = select(parts, body.hidden, { ids, mask, padding }, before)
  const seed = plan.training ? plan.seed : null
  if (target === null) return { loss: null, logits: await head.logits(states, seed), before }

  const { labelSmoothing } = plan
  const wanted = { hidden: body.differentiable, parameters: differentiate, labelSmoothing }
  const takesEvery = head.description.takes === 'every'
  const result = await head.loss(states, shifted(target, takesEvery, before), seed, wanted)
  const differentiable = body.differentiable || (differentiate && head.requiresGrad)
  const backward: Backward = async (scale, options) => {
    const gradients = await result.backward(scale)
    const after = addInTurn(gradients, options.after)
    const { hidden } = gradients
    if (hidden === null) return await after
    await body.backward(restore(hidden), scale, { ...options, after })
  }
  const loss = new ModelLoss(result.value + body.penalty, differentiable ? backward : null)
  return { loss, logits: result.logits, before }
}
