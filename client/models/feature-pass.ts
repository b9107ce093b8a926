// Hidden states of one pass after the last norm, and how they become one vector for each sequence.
import { SwarmError } from '../../common/errors.ts'
import { lastTokens, pickPositions, rowView, scatterPositions } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { stackNamed } from '../../model/config/config.ts'
import type { FeatureHead } from '../heads/features.ts'
import type { HeadPass } from '../heads/program.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type BackboneInput, type BackbonePass, forwardBody, type PassPlan } from './backbone.ts'
import type { ModelParts } from './model-parts.ts'

/** One vector for each sequence: the state of its last token, or the mean over its tokens, virtual ones not counted. */
export type PoolingKind = 'last' | 'mean'

/** Throws INVALID_ARGUMENT for another value. */
export function checkPooling(kind: PoolingKind | undefined): void {
  if (kind === undefined || kind === 'last' || kind === 'mean') return
  throw new SwarmError('INVALID_ARGUMENT', `pooling: expected 'last' or 'mean', found '${String(kind)}'`)
}

/** How [batch, seq, width] becomes [batch, width], and the way back. */
export interface Pooling {
  pool(states: Float32Tensor): Float32Tensor
  spread(gradient: Float32Tensor, shape: readonly number[]): Float32Tensor
}

function flattened({ data, shape }: Float32Tensor): Float32Tensor {
  return { dtype: 'float32', shape: [shape[0]!, shape[2]!], data }
}

function lastPooling(at: readonly number[]): Pooling {
  return {
    pool: states => flattened(pickPositions(states, at, at.length)),
    spread: ({ data }, shape) =>
      scatterPositions({ dtype: 'float32', shape: [at.length, 1, shape[2]!], data }, at, shape)
  }
}

/** `tokens`: the positions of each row that count. */
function meanPooling(tokens: readonly (readonly number[])[]): Pooling {
  return {
    pool(states) {
      const width = states.shape[2]!
      const out = tensor('float32', [tokens.length, width])
      for (const [row, at] of tokens.entries()) {
        for (const position of at) {
          for (let index = 0; index < width; index++) {
            out.data[row * width + index]! += states.data[position * width + index]! / at.length
          }
        }
      }
      return out
    },
    spread(gradient, shape) {
      const width = shape[2]!
      const out = tensor('float32', shape)
      for (const [row, at] of tokens.entries()) {
        const share = rowView(gradient.data, width, row).map(value => value / at.length)
        for (const position of at) out.data.set(share, position * width)
      }
      return out
    }
  }
}

function poolingOf(
  kind: PoolingKind,
  mask: Tensor<'int64'> | undefined,
  shape: readonly number[],
  before: number
): Pooling {
  if (kind === 'last') return lastPooling(lastTokens(mask, shape, before))
  const [batch, sequence] = shape as [number, number]
  const tokens = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: sequence }, (_, position) => position)
      .filter(position => mask === undefined || mask.data[row * sequence + position] === 1n)
      .map(position => row * (before + sequence) + before + position)
  )
  return meanPooling(tokens)
}

export interface FeaturePass {
  readonly body: BackbonePass
  readonly head: HeadPass
  /** [batch, virtual tokens + seq, width] */
  readonly states: Float32Tensor
  /** null where none was asked for */
  readonly pooling: Pooling | null
}

/** Throws INVALID_ARGUMENT for ids outside the vocabulary, and what the way through the servers throws. */
export async function forwardFeatures(
  parts: ModelParts & { readonly head: FeatureHead },
  tuning: TuningMethod | null,
  input: BackboneInput,
  { pooling, ...plan }: PassPlan & { readonly pooling?: PoolingKind }
): Promise<FeaturePass> {
  const { config } = parts.checkpoint
  const hasTwo = stackNamed(config, 'encoder') !== undefined && stackNamed(config, 'decoder') !== undefined
  const body = await forwardBody(parts, tuning, hasTwo ? { ...input, stack: 'encoder' } : input, plan)
  const head = await parts.head.run(body.hidden, { hidden: body.differentiable, parameters: plan.differentiate })
  const states = head.results.states as Float32Tensor
  return { body, head, states, pooling: pooling ? poolingOf(pooling, input.mask, input.ids.shape, body.before) : null }
}
