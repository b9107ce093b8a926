// The surface that models of every task share, plain or with an adapter. Knows no task.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import { createRandom, type Random } from '../../common/random.ts'
import type { ModelConfig } from '../../model/config/config.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { Network } from '../../network/network.ts'
import type { AuditReport } from '../audit/report.ts'
import type { TaskHead } from '../heads/program.ts'
import { clearGradients, type Parameter } from '../local/parameter.ts'
import { type SavedForm, saveAdapter, type TaskType, type TuningMethod, type TuningState } from '../tuning/index.ts'
import type { PassPlan } from './backbone.ts'
import type { TaskParts } from './model-parts.ts'

/** Of a pass through the model, whatever its task. */
export interface PassOptions {
  /**
   * true: dropout is active; false: no dropout, and no activations are kept for a backward pass. Default: dropout as
   * `train()` and `eval()` say, and a backward pass is possible.
   */
  readonly training?: boolean
  /** of the dropout; default: a new one for each call, from the model's seed */
  readonly seed?: number
  /** share of the target that is spread over all classes; default 0 */
  readonly labelSmoothing?: number
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** For checkOptions. */
export const passKeys: OptionKeys<PassOptions> = { training: true, seed: true, labelSmoothing: true, signal: true }

/** Of `savePretrained`. */
export interface SaveOptions extends SavedForm {
  readonly signal?: AbortSignal
}

/** What a model with an adapter is over. */
interface Under<Head> {
  /** of the model without the adapter */
  readonly parts: TaskParts<Head>
  /** Releases the adapter's memory. */
  release(): Promise<void>
}

export interface ModelOptions<Head> {
  /** of dropout where calls bring none; default 0 */
  readonly seed?: number
  /** only of a model with an adapter */
  readonly under?: Under<Head>
}

export abstract class BaseModel<Head extends TaskHead<Head>> {
  /** what the model is for */
  abstract readonly task: TaskType
  /** what it is made of */
  readonly parts: TaskParts<Head>
  /** the tuning method of an adapter; null for a plain model */
  protected readonly tuning: TuningMethod | null
  /** whether dropout acts */
  training = false
  readonly #seeds: Random
  readonly #under: Under<Head> | null
  /** calls of `disableAdapter` that run */
  #disabled = 0
  #unloaded = false

  constructor(parts: TaskParts<Head>, tuning: TuningMethod | null, options: ModelOptions<Head> = {}) {
    this.parts = parts
    this.tuning = tuning
    this.#seeds = createRandom(options.seed ?? 0, 1)
    this.#under = options.under ?? null
  }

  /** The parts for passes: without the adapter while it is disabled. Throws INVALID_ARGUMENT once it is unloaded. */
  protected get acting(): { readonly parts: TaskParts<Head>; readonly tuning: TuningMethod | null } {
    if (this.#unloaded) {
      throw new SwarmError('INVALID_ARGUMENT', 'the adapter is unloaded: use the model that unload() returned')
    }
    if (this.#disabled > 0) return { parts: this.#under!.parts, tuning: null }
    return { parts: this.parts, tuning: this.tuning }
  }

  /**
   * The result of `run`; until it ends, all calls of this model compute without its adapter, as in PEFT's `with
   * model.disable_adapter()`. Throws INVALID_ARGUMENT without an adapter, and what `run` throws.
   */
  async disableAdapter<Result>(run: () => Result | Promise<Result>): Promise<Result> {
    if (this.#under === null) throw new SwarmError('INVALID_ARGUMENT', 'disableAdapter: the model has no adapter')
    this.#disabled += 1
    try {
      return await run()
    } finally {
      this.#disabled -= 1
    }
  }

  /** Removes the adapter and releases its memory. */
  protected async release(): Promise<void> {
    this.#unloaded = true
    await this.#under?.release()
  }

  /** Sizes and settings of the model, from its config.json. */
  get config(): ModelConfig {
    return this.parts.checkpoint.config
  }

  /** the model's identity in the swarm, hex */
  get identity(): string {
    return this.parts.checkpoint.identity
  }

  /** The peer of the swarm that the model talks through; `close` stops it unless the caller gave it. */
  get network(): Network {
    return this.parts.network
  }

  /** Throws NOT_FOUND if the model directory has no tokenizer.json. */
  get tokenizer(): Tokenizer {
    const { tokenizer, checkpoint } = this.parts
    if (tokenizer === null) throw new SwarmError('NOT_FOUND', `${checkpoint.path}: no tokenizer.json`)
    return tokenizer
  }

  /** The adapter's, where there is one, and those of the task's head; else all that the client holds. */
  parameters(): readonly Parameter[] {
    const { parameters, head } = this.parts
    return [...(this.tuning?.parameters ?? parameters.values()), ...head.parameters]
  }

  /** Tells an adapter that asks for it how many optimizer steps were made. */
  afterStep(step: number): void {
    this.tuning?.afterStep?.(step)
  }

  /** Servers that computed since the last call, and the number of repeated requests so far. */
  traffic(): { peers: number; retries: number } {
    return this.parts.blocks.traffic()
  }

  /** The audit report, once running audits have ended; null without audits (`audit` of the options). */
  audits(): Promise<AuditReport | null> {
    return this.parts.blocks.audited()
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

  /** Task, model, tokenizer and adapter: what a run that is resumed must be over. */
  fingerprint(): Record<string, unknown> {
    const { tokenizer, checkpoint } = this.parts
    const peft = this.tuning?.config ?? null
    return { task: this.task, model: checkpoint.identity, tokenizer: tokenizer?.hash ?? null, peft }
  }

  /** Sets the gradients of all parameters to null, as after an optimizer step. */
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

  /** The adapter's configuration, every default filled in; null without an adapter. */
  get peftConfig(): unknown {
    return this.tuning?.config ?? null
  }

  /**
   * Writes the adapter, and the head of a classification, so that PEFT loads them: `adapter_config.json`,
   * `adapter_model.safetensors`. An adapter that began from the weights (PiSSA, OLoRA) is written as plain LoRA of twice the rank, which
   * needs no other base; `initialization: 'kept'` writes it as it is. Throws INVALID_ARGUMENT without an adapter.
   */
  async savePretrained(directory: string, options: SaveOptions = {}): Promise<void> {
    checkOptions('savePretrained', options, { initialization: true, signal: true })
    const { checkpoint, head } = this.parts
    if (this.tuning === null) {
      throw new SwarmError('INVALID_ARGUMENT', 'savePretrained: the model has no adapter (add one with getPeftModel)')
    }
    const { task } = this
    await saveAdapter(this.tuning, directory, {
      baseModel: checkpoint.path,
      task,
      modules: head.parameters,
      headModules: head.savedModules,
      ...options
    })
  }

  /** Leaves the swarm and frees what the model holds. */
  async close(): Promise<void> {
    await this.parts.head.close()
    await this.parts.close()
  }

  /** The same as `close`, for `await using` and stacks of resources. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What a forward pass goes by. `headDropout`: probability of the head's own dropout. */
  protected planOf({ training, seed, labelSmoothing, signal }: PassOptions, headDropout = 0): PassPlan {
    const { tuning } = this.acting
    const drops = training ?? this.training
    const dropout = drops ? (tuning?.dropout ?? 0) : 0
    const isRandom = dropout > 0 || (drops && (tuning?.begin !== undefined || headDropout > 0))
    return {
      dropout,
      training: drops,
      seed: seed ?? (isRandom ? this.#seeds.uint32() : 0),
      differentiate: training !== false,
      labelSmoothing,
      signal
    }
  }
}
