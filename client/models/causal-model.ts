// A causal language model, plain or with an adapter: loss, logits, generation.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { withGenerationDefaults } from '../generate/defaults.ts'
import type { GenerationOptions, GenerationStep } from '../generate/index.ts'
import type { LanguageHead } from '../heads/language.ts'
import { type Ids, idMatrix, maskMatrix } from '../local/inputs.ts'
import type { TrainableModel } from '../train/index.ts'
import type { BackboneInput } from './backbone.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { type CausalInput, forwardCausal } from './causal-pass.ts'
import type { FeatureInput } from './feature-model.ts'
import { checkPooling, forwardFeatures, type PoolingKind } from './feature-pass.ts'
import type { ModelLoss } from './loss.ts'
import { fillOf, type GenerateInput, isInputs, paddingOf, promptsOf } from './prompts.ts'
import { generateRemote } from './remote-generation.ts'

/** Of a pass of a causal language model. */
export interface ForwardOptions extends PassOptions {
  /** false: only the loss, for which the vocabulary is scored only where labels are. Default: not where `training` is given */
  readonly logits?: boolean
}

/** What a pass of a causal language model gives. */
export interface CausalOutput {
  /** null without labels */
  readonly loss: ModelLoss
  /** [batch, seq, vocab]; null where `logits` is false */
  readonly logits: Float32Tensor | null
}

/** Token ids, rows of different lengths too, or token ids with a mask. */
export type EmbedInput = Ids | FeatureInput

/** Of `embed`. */
export interface EmbedOptions {
  /** the state of a sequence's last token, or the mean over its tokens; default mean */
  readonly pooling?: PoolingKind
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** One step of a streamed generation. */
export interface StreamedTokens extends GenerationStep {
  /** of the first row; null where it has ended before */
  readonly token: number | null
  /** of the first row */
  readonly text: string
}

/** A causal language model, plain or with an adapter: passes, generation, loss. */
export class CausalModel extends BaseModel<LanguageHead> implements TrainableModel {
  readonly task = 'CAUSAL_LM'

  /** Whether the loss takes the first label of a row: virtual tokens before it predict it. */
  get firstLabelCounts(): boolean {
    return (this.acting.tuning?.virtualTokens ?? 0) > 0
  }

  /** Loss and logits of token ids, or logits alone. Throws INVALID_ARGUMENT, and what the way through the servers throws. */
  async forward(input: CausalInput & { readonly labels: Ids }, options?: ForwardOptions): Promise<CausalOutput>
  async forward(
    input: CausalInput & { readonly labels?: undefined },
    options?: ForwardOptions
  ): Promise<{ readonly loss: null; readonly logits: Float32Tensor }>
  async forward(
    input: CausalInput,
    options: ForwardOptions = {}
  ): Promise<{ readonly loss: ModelLoss | null; readonly logits: Float32Tensor | null }> {
    checkOptions('forward', options, { ...passKeys, logits: true })
    checkOptions('forward: input', input, { inputIds: true, labels: true, attentionMask: true })
    const logits = options.logits ?? options.training === undefined
    const { parts, tuning } = this.acting
    return await forwardCausal(parts, tuning, input, { ...this.planOf(options), logits })
  }

  /**
   * One vector for each sequence, `[batch, width]`: its hidden states after the last norm, as Hugging Face's base model gives them, pooled.
   * Rows of token ids may have different lengths. An adapter acts as in `generate`; its virtual tokens are not pooled. Throws
   * INVALID_ARGUMENT, and what the way through the servers throws.
   */
  async embed(input: EmbedInput, options: EmbedOptions = {}): Promise<Float32Tensor> {
    checkOptions('embed', options, { pooling: true, signal: true })
    const { pooling = 'mean', signal } = options
    checkPooling(pooling)
    const { ids, mask } = isInputs(input) ? embedInputs(input) : embedRows(input, paddingOf(this.config))
    const { parts, tuning } = this.acting
    const plan = this.planOf({ training: false, signal })
    const over = { ...parts, head: parts.head.features() }
    const pass = await forwardFeatures(over, tuning, { ids, mask }, { ...plan, pooling })
    return pass.pooling!.pool(pass.states)
  }

  /**
   * Token ids of prompt and continuation, [batch, length], as Hugging Face returns them: rows as they came (shorter ones
   * padded on the left), new tokens, and padding after the end; `numReturnSequences` of each. What a row gets does not depend on the
   * others.
   * Throws INVALID_ARGUMENT, NON_FINITE, ABORTED, and what the session throws.
   */
  async generate(input: GenerateInput, given: GenerationOptions = {}): Promise<number[][]> {
    const { padded, rows } = promptsOf(this, input)
    const options = this.#withDefaults(given, padded)
    const fill = fillOf(this.config, options)
    const out = padded.flatMap(row => Array.from({ length: options.numReturnSequences ?? 1 }, () => [...row]))
    const { parts, tuning } = this.acting
    for await (const { tokens } of generateRemote(parts, tuning, rows, options)) {
      for (const [row, token] of tokens.entries()) out[row]!.push(token ?? fill)
    }
    return out
  }

  /** The same, step by step as the tokens come. Leaving the loop ends the generation. */
  async *generateStream(input: GenerateInput, given: GenerationOptions = {}): AsyncGenerator<StreamedTokens> {
    const { rows, padded } = promptsOf(this, input)
    const options = this.#withDefaults(given, padded)
    const { parts, tuning } = this.acting
    for await (const step of generateRemote(parts, tuning, rows, options)) {
      yield { ...step, token: step.tokens[0]!, text: step.texts[0]! }
    }
  }

  /** What the model's generation_config.json says, where the caller says nothing. */
  #withDefaults(given: GenerationOptions, padded: readonly (readonly number[])[]): GenerationOptions {
    return withGenerationDefaults(given, this.parts.checkpoint.generationConfig, padded[0]!.length)
  }
}

function embedInputs(input: Pick<FeatureInput, 'inputIds' | 'attentionMask'>): BackboneInput {
  checkOptions('embed: input', input, { inputIds: true, attentionMask: true })
  const ids = idMatrix(input.inputIds, 'inputIds')
  return { ids, mask: maskMatrix(input.attentionMask, ids.shape) }
}

/** Shorter rows are padded on the right. Throws INVALID_ARGUMENT for a row without a token. */
function embedRows(input: Ids, padTokenId: number): BackboneInput {
  const rows = Array.isArray(input) && Array.isArray(input[0]) ? (input as readonly (readonly number[])[]) : null
  const longest = Math.max(0, ...(rows ?? []).map(row => row.length))
  if (rows === null || rows.every(row => row.length === longest)) {
    return { ids: idMatrix(input, 'inputIds'), mask: undefined }
  }
  const empty = rows.findIndex(row => row.length === 0)
  if (empty >= 0) throw new SwarmError('INVALID_ARGUMENT', `inputIds: row ${empty} has no token`)
  const ids = rows.map(row => [...row, ...Array<number>(longest - row.length).fill(padTokenId)])
  const mask = rows.map(row => ids[0]!.map((_, place) => (place < row.length ? 1 : 0)))
  return embedInputs({ inputIds: ids, attentionMask: mask })
}
