// A causal language model, plain or with an adapter: loss, logits, generation.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { withGenerationDefaults } from '../generate/defaults.ts'
import type { GenerationOptions, GenerationStep } from '../generate/index.ts'
import type { LanguageHead } from '../heads/language.ts'
import { type Ids, type Prompts, parsePrompts } from '../local/inputs.ts'
import type { TrainableModel } from '../train/index.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { type CausalInput, forwardCausal } from './causal-pass.ts'
import type { ModelLoss } from './loss.ts'
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

/** Token ids with or without a mask, or a text. */
export type GenerateInput = string | Ids | { readonly inputIds: Ids; readonly attentionMask?: Ids }

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
   * Token ids of prompt and continuation, [batch, length], as Hugging Face returns them: rows as they came (shorter ones
   * padded on the left), new tokens, and padding after the end; `numReturnSequences` of each. What a row gets does not depend on the
   * others.
   * Throws INVALID_ARGUMENT, NON_FINITE, ABORTED, and what the session throws.
   */
  async generate(input: GenerateInput, given: GenerationOptions = {}): Promise<number[][]> {
    const { padded, rows } = this.#prompts(input)
    const options = this.#withDefaults(given, padded)
    const padTokenId = options.padTokenId ?? this.#padTokenId
    const out = padded.flatMap(row => Array.from({ length: options.numReturnSequences ?? 1 }, () => [...row]))
    const { parts, tuning } = this.acting
    for await (const { tokens } of generateRemote(parts, tuning, rows, options)) {
      for (const [row, token] of tokens.entries()) out[row]!.push(token ?? padTokenId)
    }
    return out
  }

  /** The same, step by step as the tokens come. Leaving the loop ends the generation. */
  async *generateStream(input: GenerateInput, given: GenerationOptions = {}): AsyncGenerator<StreamedTokens> {
    const { rows, padded } = this.#prompts(input)
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

  get #padTokenId(): number {
    return this.config.padTokenId ?? this.config.eosTokenIds[0] ?? 0
  }

  #prompts(input: GenerateInput): Prompts {
    if (typeof input === 'string') {
      const ids = this.tokenizer.encode(input)
      if (ids.length === 0)
        throw new SwarmError('INVALID_ARGUMENT', 'the prompt is empty: this model starts from a text')
      return this.#prompts(ids)
    }
    const { vocabSize, padTokenId, eosTokenIds } = this.config
    const rules = {
      vocabSize,
      padTokenId: this.#padTokenId,
      impliedPadding: padTokenId === undefined || eosTokenIds.includes(padTokenId) ? null : padTokenId
    }
    if (!isInputs(input)) return parsePrompts(input, undefined, rules)
    checkOptions('generate: input', input, { inputIds: true, attentionMask: true })
    return parsePrompts(input.inputIds, input.attentionMask, rules)
  }
}

function isInputs(input: Exclude<GenerateInput, string>): input is Exclude<GenerateInput, string | Ids> {
  return !Array.isArray(input) && !('shape' in input)
}
