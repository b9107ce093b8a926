// The surface that a plain model and one with an adapter share: forward, loss, generate.
import { SwarmError } from '../common/errors.ts'
import { createRandom, type Random } from '../common/random.ts'
import type { Tensor } from '../common/tensor.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Tokenizer } from '../model/tokenizer.ts'
import type { Network } from '../network/network.ts'
import { type CausalInput, type CausalLoss, forwardCausal } from './causal-loss.ts'
import type { GenerationOptions, GenerationStep } from './generate/index.ts'
import { type Ids, type Prompts, parsePrompts } from './inputs.ts'
import { clearGradients, type Parameter } from './parameter.ts'
import type { ModelParts } from './parts.ts'
import { generateRemote } from './remote-generation.ts'
import type { TrainableModel } from './train/index.ts'
import type { TuningMethod, TuningState } from './tuning/index.ts'

export interface ForwardOptions {
  /**
   * true: dropout acts; false: it does not, and nothing is kept for a backward pass. Default: dropout as `train()` and
   * `eval()` say, and a backward pass is possible.
   */
  readonly training?: boolean
  /** of the dropout; default: a new one for each call, from the model's seed */
  readonly seed?: number
  /** false: only the loss, for which the vocabulary is scored only where labels are. Default: not where `training` is given */
  readonly logits?: boolean
  readonly signal?: AbortSignal
}

export interface CausalOutput {
  readonly loss: CausalLoss
  /** [batch, seq, vocab]; null where `logits` is false */
  readonly logits: Tensor<'float32'> | null
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

export class CausalModel implements TrainableModel {
  /** what it is made of */
  readonly parts: ModelParts
  protected readonly tuning: TuningMethod | null
  /** whether dropout acts */
  training = false
  readonly #seeds: Random

  constructor(parts: ModelParts, tuning: TuningMethod | null, options: { seed?: number } = {}) {
    this.parts = parts
    this.tuning = tuning
    this.#seeds = createRandom(options.seed ?? 0, 1)
  }

  get config(): ModelConfig {
    return this.parts.checkpoint.config
  }

  /** the model's identity in the swarm, hex */
  get identity(): string {
    return this.parts.checkpoint.identity
  }

  get network(): Network {
    return this.parts.network
  }

  /** Throws NOT_FOUND where the model directory has no tokenizer.json. */
  get tokenizer(): Tokenizer {
    const { tokenizer, checkpoint } = this.parts
    if (tokenizer === null) throw new SwarmError('NOT_FOUND', `${checkpoint.path}: no tokenizer.json`)
    return tokenizer
  }

  parameters(): readonly Parameter[] {
    return [...this.parts.parameters.values()]
  }

  /** Tells the adapter, where it wants to know, that so many optimizer steps were made. */
  afterStep(step: number): void {
    this.tuning?.afterStep?.(step)
  }

  /** What the adapter keeps beside its parameters, a copy; null where that is nothing. */
  exportState(): TuningState | null {
    return this.tuning?.exportState?.() ?? null
  }

  /** Goes on from such a copy. Throws BAD_CHECKPOINT where it is of another adapter. */
  importState(state: TuningState): void {
    if (this.tuning?.importState === undefined) {
      throw new SwarmError('BAD_CHECKPOINT', 'state of a tuning method: this model has none that keeps any')
    }
    this.tuning.importState(state)
  }

  /** Model, tokenizer and adapter: what a run that is resumed must be over. */
  fingerprint(): Record<string, unknown> {
    const { tokenizer, checkpoint } = this.parts
    return { model: checkpoint.identity, tokenizer: tokenizer?.hash ?? null, peft: this.tuning?.config ?? null }
  }

  zeroGrad(): void {
    clearGradients(this.parameters())
  }

  /** Dropout acts from now on. */
  train(): this {
    this.training = true
    return this
  }

  /** Dropout does not act from now on. */
  eval(): this {
    this.training = false
    return this
  }

  /** Loss and logits of token ids, or logits alone. Throws INVALID_ARGUMENT, and what the way through the servers throws. */
  async forward(input: CausalInput & { readonly labels: Ids }, options?: ForwardOptions): Promise<CausalOutput>
  async forward(
    input: CausalInput & { readonly labels?: undefined },
    options?: ForwardOptions
  ): Promise<{ readonly loss: null; readonly logits: Tensor<'float32'> }>
  async forward(
    input: CausalInput,
    options: ForwardOptions = {}
  ): Promise<{ readonly loss: CausalLoss | null; readonly logits: Tensor<'float32'> | null }> {
    const { training, signal } = options
    const drops = training ?? this.training
    const dropout = drops ? (this.tuning?.dropout ?? 0) : 0
    const isRandom = dropout > 0 || (drops && this.tuning?.begin !== undefined)
    return await forwardCausal(this.parts, this.tuning, input, {
      dropout,
      training: drops,
      seed: options.seed ?? (isRandom ? this.#seeds.uint32() : 0),
      differentiate: training !== false,
      logits: options.logits ?? training === undefined,
      signal
    })
  }

  /**
   * Token ids of prompt and continuation, [batch, length], as Hugging Face returns them: rows as they came (shorter ones
   * padded on the left), new tokens, and padding after the end. What a row gets does not depend on the others.
   * Throws INVALID_ARGUMENT, NON_FINITE, ABORTED, and what the session throws.
   */
  async generate(input: GenerateInput, options: GenerationOptions = {}): Promise<number[][]> {
    const { padded, rows } = this.#prompts(input)
    const padTokenId = options.padTokenId ?? this.#padTokenId
    const out = padded.map(row => [...row])
    for await (const { tokens } of generateRemote(this.parts, this.tuning, rows, options)) {
      for (const [row, token] of tokens.entries()) out[row]!.push(token ?? padTokenId)
    }
    return out
  }

  /** The same, step by step as the tokens come. Leaving the loop ends the generation. */
  async *generateStream(input: GenerateInput, options: GenerationOptions = {}): AsyncGenerator<StreamedTokens> {
    const { rows } = this.#prompts(input)
    for await (const step of generateRemote(this.parts, this.tuning, rows, options)) {
      yield { ...step, token: step.tokens[0]!, text: step.texts[0]! }
    }
  }

  /** Leaves the swarm and frees what the model holds. */
  async close(): Promise<void> {
    await this.parts.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
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
    if (isInputs(input)) return parsePrompts(input.inputIds, input.attentionMask, rules)
    return parsePrompts(input, undefined, rules)
  }
}

function isInputs(input: Exclude<GenerateInput, string>): input is Exclude<GenerateInput, string | Ids> {
  return 'inputIds' in input
}
