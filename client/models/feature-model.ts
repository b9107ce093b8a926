// Hidden states of a model, plain or with an adapter: what Hugging Face's base models give, pooled if asked for.

import { checkOptions, checkSignal } from '../../common/options.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { FeatureHead } from '../heads/features.ts'
import { type Ids, idMatrix, maskMatrix, typeMatrix } from '../local/inputs.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { checkPooling, forwardFeatures, type PoolingKind } from './feature-pass.ts'
import { ModelLoss } from './loss.ts'

/** A batch for a model without a head. */
export interface FeatureInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
  /** `[batch, seq]`: which text of a pair each token is of, 0 or 1, for models with token types; default 0 each */
  readonly tokenTypeIds?: Ids
}

/** Of a pass of a model without a head. */
export interface FeatureOptions extends PassOptions {
  /** one vector for each sequence: the state of its last token, or the mean over its tokens, virtual ones not counted */
  readonly pooling?: PoolingKind
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
    checkOptions('forward: input', input, { inputIds: true, attentionMask: true, tokenTypeIds: true })
    checkPooling(options.pooling)
    const { parts, tuning } = this.acting
    const ids = idMatrix(input.inputIds, 'inputIds')
    const mask = maskMatrix(input.attentionMask, ids.shape)
    const { family, config } = parts.checkpoint
    const types = typeMatrix(input.tokenTypeIds, ids.shape, family.tokenTypes(config))
    const plan = this.planOf(options)
    const differentiate = plan.training
    const pass = await forwardFeatures(
      parts,
      tuning,
      { ids, mask, types },
      { ...plan, differentiate, pooling: options.pooling }
    )
    const { body, head, states, pooling } = pass

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
        const { hidden, add } = await head.backward(gradientOf(gradients))
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
