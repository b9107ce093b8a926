// A causal language model, plain or with an adapter: loss, logits, generation.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { paddingOf } from '../../model/config/config.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import { withGenerationDefaults } from '../generate/defaults.ts'
import type { GenerationOptions, GenerationStep } from '../generate/index.ts'
import type { LanguageHead } from '../heads/language.ts'
import { type Ids, idMatrix, maskMatrix, type Prompts } from '../local/inputs.ts'
import type { TrainableModel } from '../train/index.ts'
import { pickRows, rowsInPlace } from './adapters.ts'
import type { BackboneInput } from './backbone.ts'
import { BaseModel, type PassOptions, passKeys, type RowAdapters } from './base-model.ts'
import { type CausalInput, forwardCausal } from './causal-pass.ts'
import type { FeatureInput } from './feature-model.ts'
import { checkPooling, forwardFeatures, type PoolingKind } from './feature-pass.ts'
import { ModelLoss } from './loss.ts'
import { fillOf, type GenerateInput, isInputs, promptsOf } from './prompts.ts'
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
  async forward(
    input: CausalInput & { readonly labels: Ids },
    options?: ForwardOptions & RowAdapters
  ): Promise<CausalOutput>
  async forward(
    input: CausalInput & { readonly labels?: undefined },
    options?: ForwardOptions & RowAdapters
  ): Promise<{ readonly loss: null; readonly logits: Float32Tensor }>
  async forward(
    input: CausalInput,
    options: ForwardOptions & RowAdapters = {}
  ): Promise<{ readonly loss: ModelLoss | null; readonly logits: Float32Tensor | null }> {
    checkOptions('forward', options, { ...passKeys, logits: true, adapterNames: true })
    checkOptions('forward: input', input, { inputIds: true, labels: true, attentionMask: true })
    const logits = options.logits ?? options.training === undefined
    if (options.adapterNames !== undefined) return await this.#forwardRows(input, options.adapterNames, options)
    const { parts, tuning } = this.acting
    return await forwardCausal(parts, tuning, input, { ...this.planOf(options), logits })
  }

  /** Rows through adapters of their own; the loss is that of the whole batch, without a way back. */
  async #forwardRows(
    { inputIds, labels, attentionMask }: CausalInput,
    names: readonly string[],
    options: ForwardOptions
  ): Promise<{ readonly loss: ModelLoss | null; readonly logits: Float32Tensor }> {
    const ids = idMatrix(inputIds, 'inputIds')
    const mask = maskMatrix(attentionMask, ids.shape)
    const targets = labels === undefined ? undefined : idMatrix(labels, 'labels', ids.shape)
    const groups = this.groupsOf(names, ids.shape[0]!, options.training ?? this.training)
    const plan = { ...this.planOf({ ...options, training: false }), logits: true }
    const passes = [...groups].map(async ([name, rows]) => {
      const { parts, tuning } = this.actingAs(name)
      const own = targets && pickRows(targets, rows)
      const input = { inputIds: pickRows(ids, rows), attentionMask: mask && pickRows(mask, rows), labels: own }
      const { loss, logits } = await forwardCausal(parts, tuning, input, plan)
      // the first label of a row is predicted where virtual tokens come before it
      const from = (tuning?.virtualTokens ?? 0) > 0 ? 0 : 1
      const width = ids.shape[1]!
      const counted = own?.data.filter((label, at) => at % width >= from && label !== BigInt(ignoredLabel)).length ?? 0
      return { rows, tensor: logits!, loss: counted === 0 ? 0 : loss!.value * counted, counted }
    })
    const parts = await Promise.all(passes)
    const counted = parts.reduce((sum, part) => sum + part.counted, 0)
    const loss = parts.reduce((sum, part) => sum + part.loss, 0) / counted
    return { loss: targets === undefined ? null : new ModelLoss(loss, null), logits: rowsInPlace(parts) }
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
   * With `adapterNames` each row goes through its adapter, and rows of one adapter together.
   * Throws INVALID_ARGUMENT, NON_FINITE, ABORTED, and what the session throws.
   */
  async generate(
    input: GenerateInput,
    { adapterNames, ...given }: GenerationOptions & RowAdapters = {}
  ): Promise<number[][]> {
    const { padded, rows } = promptsOf(this, input)
    if (adapterNames !== undefined) return await this.#generateRows({ padded, rows }, adapterNames, given)
    const options = this.#withDefaults(given, padded)
    const fill = fillOf(this.config, options)
    const out = padded.flatMap(row => Array.from({ length: options.numReturnSequences ?? 1 }, () => [...row]))
    const { parts, tuning } = this.acting
    for await (const { tokens } of generateRemote(parts, tuning, rows, options)) {
      for (const [row, token] of tokens.entries()) out[row]!.push(token ?? fill)
    }
    return out
  }

  async #generateRows(
    { padded, rows }: Prompts,
    names: readonly string[],
    given: GenerationOptions
  ): Promise<number[][]> {
    const options = this.#withDefaults(given, padded)
    const fill = fillOf(this.config, options)
    const { numReturnSequences = 1 } = options
    const out = padded.flatMap(row => Array.from({ length: numReturnSequences }, () => [...row]))
    const generations = [...this.groupsOf(names, rows.length, false)].map(async ([name, chosen]) => {
      const { parts, tuning } = this.actingAs(name)
      const prompts = chosen.map(row => rows[row]!)
      for await (const { tokens } of generateRemote(parts, tuning, prompts, options)) {
        for (const [at, token] of tokens.entries()) {
          const row = chosen[Math.floor(at / numReturnSequences)]! * numReturnSequences + (at % numReturnSequences)
          out[row]!.push(token ?? fill)
        }
      }
    })
    await Promise.all(generations)
    const longest = Math.max(...out.map(row => row.length))
    return out.map(row => [...row, ...Array<number>(longest - row.length).fill(fill)])
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
