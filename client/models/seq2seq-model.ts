// An encoder-decoder language model, plain or with an adapter: loss, logits, generation.
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { RawConfig } from '../../model/config/config.ts'
import { isJsonObject } from '../../model/json.ts'
import { knownFields, withGenerationDefaults } from '../generate/defaults.ts'
import type { GenerationOptions, GenerationStep } from '../generate/index.ts'
import type { Seq2SeqHead } from '../heads/seq2seq.ts'
import { checkVocabulary, type Ids, rowsOfIds } from '../local/inputs.ts'
import type { TrainableModel } from '../train/index.ts'
import { BaseModel, passKeys } from './base-model.ts'
import type { ForwardOptions, StreamedTokens } from './causal-model.ts'
import { EncoderCache } from './encoder-cache.ts'
import type { ModelLoss } from './loss.ts'
import { fillOf, type GenerateInput, isInputs, promptsOf } from './prompts.ts'
import { decoderPrompts, generateSeq2Seq, type Seq2SeqPrompts, startTokenOf } from './seq2seq-generation.ts'
import { forwardSeq2Seq, type Seq2SeqInput } from './seq2seq-pass.ts'

/** What a pass of an encoder-decoder model gives. */
export interface Seq2SeqOutput {
  /** null without labels */
  readonly loss: ModelLoss
  /** [batch, target, vocab]; null where `logits` is false */
  readonly logits: Float32Tensor | null
}

/** A text, token ids with or without a mask; by name also the decoder's first tokens. */
export type Seq2SeqGenerateInput =
  | GenerateInput
  | { readonly inputIds: Ids; readonly attentionMask?: Ids; readonly decoderInputIds?: Ids }

/** generation_config.json; without one what config.json says of a generation, as transformers reads it. */
export function generationConfigOf(config: { readonly raw: unknown }, said: RawConfig): RawConfig {
  if (Object.keys(said).length > 0 || !isJsonObject(config.raw)) return said
  return Object.fromEntries(Object.entries(config.raw).filter(([field]) => knownFields.includes(field)))
}

/** An encoder-decoder model, plain or with an adapter: passes, generation, loss. */
export class Seq2SeqModel extends BaseModel<Seq2SeqHead> implements TrainableModel {
  readonly task = 'SEQ_2_SEQ_LM'
  readonly #cache = new EncoderCache()

  /**
   * Loss and logits, or logits alone. The decoder reads `decoderInputIds`, or the labels one place to the right. Throws INVALID_ARGUMENT,
   * and what the way through the servers throws.
   */
  async forward(input: Seq2SeqInput & { readonly labels: Ids }, options?: ForwardOptions): Promise<Seq2SeqOutput>
  async forward(
    input: Seq2SeqInput & { readonly labels?: undefined },
    options?: ForwardOptions
  ): Promise<{ readonly loss: null; readonly logits: Float32Tensor }>
  async forward(
    input: Seq2SeqInput,
    options: ForwardOptions = {}
  ): Promise<{ readonly loss: ModelLoss | null; readonly logits: Float32Tensor | null }> {
    checkOptions('forward', options, { ...passKeys, logits: true })
    checkOptions('forward: input', input, {
      inputIds: true,
      attentionMask: true,
      labels: true,
      decoderInputIds: true,
      decoderAttentionMask: true
    })
    const logits = options.logits ?? options.training === undefined
    const { parts, tuning } = this.acting
    return await forwardSeq2Seq(parts, tuning, input, { ...this.planOf(options), logits })
  }

  /**
   * Token ids that the decoder writes, [batch, length], as Hugging Face returns them: the start token, new tokens, and padding after the
   * end; `numReturnSequences` of each input. What a row gets does not depend on the others. Throws INVALID_ARGUMENT, NON_FINITE, ABORTED,
   * and what the session throws.
   */
  async generate(input: Seq2SeqGenerateInput, given: GenerationOptions = {}): Promise<number[][]> {
    const { prompts, steps, options } = this.#generation(input, given)
    const fill = fillOf(this.config, options)
    const out = prompts.flatMap(row => Array.from({ length: options.numReturnSequences ?? 1 }, () => [...row]))
    for await (const { tokens } of steps) {
      for (const [row, token] of tokens.entries()) out[row]!.push(token ?? fill)
    }
    return out
  }

  /** The same, step by step as the tokens come. Leaving the loop ends the generation. */
  async *generateStream(input: Seq2SeqGenerateInput, given: GenerationOptions = {}): AsyncGenerator<StreamedTokens> {
    for await (const step of this.#generation(input, given).steps) {
      yield { ...step, token: step.tokens[0]!, text: step.texts[0]! }
    }
  }

  #generation(
    input: Seq2SeqGenerateInput,
    given: GenerationOptions
  ): Seq2SeqPrompts & { readonly steps: AsyncGenerator<GenerationStep>; readonly options: GenerationOptions } {
    const { parts, tuning } = this.acting
    const { config } = this
    const raw = generationConfigOf(config, parts.checkpoint.generationConfig)
    const { decoderInputIds, ...source } = splitInput(input)
    const { rows: sources } = promptsOf(this, source.input)
    const own = decoderInputIds === undefined ? null : rowsOfIds(decoderInputIds, 'decoderInputIds')
    if (own !== null) checkVocabulary(own.flat(), config.vocabSize)
    const prompts = decoderPrompts(own, startTokenOf(config, raw), sources.length)
    const options = withGenerationDefaults(given, raw, Math.max(...prompts.map(row => row.length)))
    const steps = generateSeq2Seq({ parts, tuning, cache: this.#cache }, { sources, prompts }, options)
    return { sources, prompts, steps, options }
  }
}

const inputKeys: OptionKeys<{ inputIds: Ids; attentionMask?: Ids; decoderInputIds?: Ids }> = {
  inputIds: true,
  attentionMask: true,
  decoderInputIds: true
}

/** What the encoder reads, and the decoder's first tokens. */
function splitInput(input: Seq2SeqGenerateInput): { readonly input: GenerateInput; readonly decoderInputIds?: Ids } {
  if (typeof input === 'string' || !isInputs(input)) return { input }
  checkOptions('generate: input', input, inputKeys)
  const { decoderInputIds, ...own } = input as { inputIds: Ids; attentionMask?: Ids; decoderInputIds?: Ids }
  return { input: own, ...(decoderInputIds !== undefined && { decoderInputIds }) }
}
