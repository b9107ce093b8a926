// Hidden states of a model, plain or with an adapter: what Hugging Face's base models give, pooled if asked for.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions, checkSignal } from '../../common/options.ts'
import { lastTokens, pickPositions, rowView, scatterPositions } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import type { FeatureHead } from '../heads/features.ts'
import { type Ids, idMatrix, maskMatrix } from '../local/inputs.ts'
import { forwardBody } from './backbone.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { ModelLoss } from './loss.ts'

/** A batch for a model without a head. */
export interface FeatureInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
}

/** Of a pass of a model without a head. */
export interface FeatureOptions extends PassOptions {
  /** one vector for each sequence: the state of its last token, or the mean over its tokens, virtual ones not counted */
  readonly pooling?: 'last' | 'mean'
}

/** Gradients of what came out, of one or both. */
export interface FeatureGradients {
  /** `[batch, virtual tokens + seq, width]` */
  readonly lastHiddenState?: Float32Tensor
  /** `[batch, width]` */
  readonly pooled?: Float32Tensor
}

/** What a pass of a model without a head gives. */
export interface FeatureOutput {
  /** [batch, virtual tokens + seq, width], after the last norm; what stands at padding means nothing */
  readonly lastHiddenState: Float32Tensor
  /** [batch, width]; null without pooling */
  readonly pooled: Float32Tensor | null
  /** what the adapter adds to any loss (AdaLoRA does); `backward` adds its gradients too */
  readonly penalty: number
  /**
   * Adds the gradients of every parameter that requires one, from those of a loss of the caller's own; once. Throws
   * INVALID_ARGUMENT the second time and where nothing requires a gradient.
   */
  backward(gradients: FeatureGradients, options?: { signal?: AbortSignal }): Promise<void>
}

/** How [batch, seq, width] becomes [batch, width], and the way back. */
interface Pooling {
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
  kind: 'last' | 'mean',
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

function sum(a: Float32Tensor, b: Float32Tensor): Float32Tensor {
  return { ...a, data: a.data.map((value, index) => value + b.data[index]!) }
}

export class FeatureModel extends BaseModel<FeatureHead> {
  readonly task = 'FEATURE_EXTRACTION'

  /**
   * Hidden states of token ids. A backward pass is possible where dropout acts (`train()`, or `training`), so that servers
   * keep nothing for mere reading. Throws INVALID_ARGUMENT, and what the way through the servers throws.
   */
  async forward(input: FeatureInput, options: FeatureOptions = {}): Promise<FeatureOutput> {
    checkOptions('forward', options, { ...passKeys, pooling: true })
    checkOptions('forward: input', input, { inputIds: true, attentionMask: true })
    if (options.pooling !== undefined && !['last', 'mean'].includes(options.pooling)) {
      throw new SwarmError('INVALID_ARGUMENT', `pooling: expected 'last' or 'mean', found '${options.pooling}'`)
    }
    const { parts, tuning } = this.acting
    const ids = idMatrix(input.inputIds, 'inputIds')
    const mask = maskMatrix(input.attentionMask, ids.shape)
    const plan = this.planOf(options)
    const differentiate = plan.training
    const body = await forwardBody(parts, tuning, { ids, mask }, { ...plan, differentiate })
    const wanted = { hidden: body.differentiable, parameters: differentiate }
    const pass = await parts.head.run(body.hidden, wanted)
    const states = pass.results.states as Float32Tensor
    const pooling = options.pooling && poolingOf(options.pooling, mask, ids.shape, body.before)

    const differentiable = body.differentiable || (differentiate && parts.head.requiresGrad)
    const gradientOf = ({ lastHiddenState, pooled }: FeatureGradients): Float32Tensor => {
      const spread = pooled && pooling?.spread(pooled, states.shape)
      if (lastHiddenState && spread) return sum(lastHiddenState, spread)
      return lastHiddenState ?? spread ?? tensor('float32', states.shape)
    }
    return {
      lastHiddenState: states,
      pooled: pooling?.pool(states) ?? null,
      penalty: body.penalty,
      backward: once(differentiable, async (gradients, signal) => {
        const { hidden, add } = await pass.backward(gradientOf(gradients))
        add()
        if (hidden !== null) await body.backward(hidden, 1, { signal })
      })
    }
  }
}

/** As a loss' way back: only where there is one, and once. */
function once(
  differentiable: boolean,
  run: (gradients: FeatureGradients, signal?: AbortSignal) => Promise<void>
): FeatureOutput['backward'] {
  let given: FeatureGradients = {}
  const back = new ModelLoss(0, differentiable ? (_, { signal }) => run(given, signal) : null)
  return async (gradients, options) => {
    checkOptions('backward: gradients', gradients, { lastHiddenState: true, pooled: true })
    checkSignal('backward', options)
    given = gradients
    await back.backward(options)
  }
}
