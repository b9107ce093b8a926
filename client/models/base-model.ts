// The surface that models of every task share, plain or with an adapter. Knows no task.

import { files } from '#files'
import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import { createRandom, type Random } from '../../common/random.ts'
import type { ModelConfig } from '../../model/config/config.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { Network } from '../../network/network.ts'
import type { AuditReport } from '../audit/report.ts'
import type { TaskHead } from '../heads/program.ts'
import { clearGradients, type Parameter } from '../local/parameter.ts'
import {
  type CombinationOptions,
  combineLora,
  type PeftConfig,
  type SavedForm,
  saveAdapter,
  type TaskType,
  type TuningMethod,
  type TuningState
} from '../tuning/index.ts'
import { partsOf } from './adapted.ts'
import {
  baseName,
  checkAdapterName,
  chosenBy,
  defaultName,
  newAdapter,
  type OpenAdapter,
  openAdapter,
  rowsByAdapter,
  savedAdapter,
  tuningTargetOf
} from './adapters.ts'
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

/** Of passes whose rows may have adapters of their own. */
export interface RowAdapters {
  /** the adapter of each row, `__base__` for none, as PEFT's adapter_names; in inference only. Default: the active one */
  readonly adapterNames?: readonly string[]
}

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

/** What a pass goes through. */
interface Acting<Head> {
  readonly parts: TaskParts<Head>
  readonly tuning: TuningMethod | null
}

interface Adapter<Head> extends Acting<Head> {
  readonly tuning: TuningMethod
  release(): Promise<void>
}

/** Of `addWeightedAdapter`. */
export interface WeightedAdapterOptions extends CombinationOptions {
  /** names of adapters of the model */
  readonly adapters: readonly string[]
  /** how much each of them counts */
  readonly weights: readonly number[]
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
  /** whether dropout acts */
  training = false
  readonly #seeds: Random
  readonly #own: Acting<Head>
  readonly #under: Under<Head> | null
  /** by their names; of a plain model none */
  readonly #adapters = new Map<string, Adapter<Head>>()
  #active = defaultName
  /** calls of `disableAdapter` that run */
  #disabled = 0
  #unloaded = false

  constructor(parts: TaskParts<Head>, tuning: TuningMethod | null, options: ModelOptions<Head> = {}) {
    this.#own = { parts, tuning }
    this.#seeds = createRandom(options.seed ?? 0, 1)
    this.#under = options.under ?? null
    if (tuning !== null && options.under !== undefined) {
      this.#adapters.set(defaultName, { parts, tuning, release: () => options.under!.release() })
    }
  }

  /** what it is made of, with the active adapter's replacements */
  get parts(): TaskParts<Head> {
    return (this.#adapters.get(this.#active) ?? this.#own).parts
  }

  /** the tuning method of the active adapter; null for a plain model */
  protected get tuning(): TuningMethod | null {
    return (this.#adapters.get(this.#active) ?? this.#own).tuning
  }

  /** The parts for passes: without the adapter while it is disabled. Throws INVALID_ARGUMENT once it is unloaded. */
  protected get acting(): Acting<Head> {
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

  /** The name of the adapter that acts; the first one's is `default`. Null without an adapter. */
  get activeAdapter(): string | null {
    return this.#under === null ? null : this.#active
  }

  /** The names of all adapters. */
  get adapters(): readonly string[] {
    return [...this.#adapters.keys()]
  }

  /**
   * A new adapter beside the others, as PEFT's add_adapter: `setAdapter` makes it act. Throws INVALID_ARGUMENT for a name that is taken and
   * for a configuration that does not fit the model.
   */
  async addAdapter(
    name: string,
    config: PeftConfig,
    options: { seed?: number; signal?: AbortSignal } = {}
  ): Promise<void> {
    checkOptions('addAdapter', options, { seed: true, signal: true })
    await this.#add('addAdapter', name, over => newAdapter(over, config, options))
  }

  /**
   * A saved adapter beside the others, as PEFT's load_adapter: `setAdapter` makes it act. Not trainable unless `isTrainable` says so. Throws
   * INVALID_ARGUMENT for a name that is taken, NOT_FOUND, BAD_CHECKPOINT, UNSUPPORTED.
   */
  async loadAdapter(
    directory: string,
    name: string,
    options: { isTrainable?: boolean; signal?: AbortSignal } = {}
  ): Promise<void> {
    checkOptions('loadAdapter', options, { isTrainable: true, signal: true })
    await this.#add('loadAdapter', name, over => savedAdapter(over, directory, options))
  }

  /**
   * A LoRA adapter that holds others of this model, each with a weight, as PEFT's add_weighted_adapter; `setAdapter` makes it act. Throws
   * INVALID_ARGUMENT for names and options that do not fit together, UNSUPPORTED for adapters that cannot be combined.
   */
  async addWeightedAdapter(name: string, given: WeightedAdapterOptions): Promise<void> {
    checkOptions('addWeightedAdapter', given, {
      adapters: true,
      weights: true,
      combinationType: true,
      svdRank: true,
      svdClamp: true,
      density: true,
      majoritySignMethod: true,
      seed: true
    })
    const { adapters, weights, ...options } = given
    if (!Array.isArray(adapters) || !Array.isArray(weights)) {
      throw new SwarmError('INVALID_ARGUMENT', 'addWeightedAdapter: expected lists of adapters and weights')
    }
    const chosen = new Map(adapters.map(each => [each, this.#adapter(each).tuning]))
    const headed = adapters.find(each => this.#adapter(each).parts.head.parameters.length > 0)
    if (headed !== undefined) {
      throw new SwarmError(
        'UNSUPPORTED',
        `addWeightedAdapter: adapter '${headed}' cannot be combined: it holds a head or whole modules`
      )
    }
    await this.#add('addWeightedAdapter', name, async over => {
      const method = await combineLora(chosen, weights, tuningTargetOf(over.parts, over.task), options)
      return openAdapter(over, method, over.parts.head.copy(chosenBy(method)))
    })
  }

  /**
   * Makes an adapter act, alone, and trainable: the others' parameters stop requiring gradients. `inferenceMode` leaves its own without
   * gradients too. Throws INVALID_ARGUMENT for a name that there is not.
   */
  setAdapter(name: string, options: { inferenceMode?: boolean } = {}): void {
    checkOptions('setAdapter', options, { inferenceMode: true })
    const chosen = this.#adapter(name)
    for (const adapter of this.#adapters.values()) {
      const { tuning, parts } = adapter
      const isTrained = adapter === chosen && !options.inferenceMode
      for (const parameter of [...tuning.parameters, ...parts.head.parameters]) {
        parameter.requiresGrad = isTrained && !(tuning.frozen ?? []).includes(parameter)
      }
    }
    this.#active = name
  }

  /**
   * Forgets an adapter and releases its memory. Where it acted, the first of the others does from now on. Throws INVALID_ARGUMENT for a
   * name that there is not, and for the only adapter (`unload()` removes that).
   */
  async deleteAdapter(name: string): Promise<void> {
    const { release } = this.#adapter(name)
    if (this.#adapters.size === 1) {
      throw new SwarmError('INVALID_ARGUMENT', `deleteAdapter: '${name}' is the only adapter: use unload()`)
    }
    this.#adapters.delete(name)
    if (this.#active === name) this.#active = this.adapters[0]!
    await release()
  }

  /** The parts of the adapter of this name, or of the model under them. Throws INVALID_ARGUMENT. */
  protected actingAs(name: string): Acting<Head> {
    if (name !== baseName) return this.#adapter(name)
    return { parts: this.#under?.parts ?? this.#own.parts, tuning: null }
  }

  /**
   * Rows of a batch by the adapter that each names. Throws INVALID_ARGUMENT for unknown names, another number of them than rows, and in
   * training, as in PEFT.
   */
  protected groupsOf(
    names: readonly string[],
    rows: number,
    training: boolean
  ): ReadonlyMap<string, readonly number[]> {
    if (training) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        'adapterNames: rows have adapters of their own in inference only (eval())'
      )
    }
    return rowsByAdapter(names, rows, this.adapters)
  }

  #adapter(name: string): Adapter<Head> {
    const adapter = this.#adapters.get(name)
    if (adapter !== undefined) return adapter
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapter ${JSON.stringify(name)}: expected one of ${this.adapters.join(', ') || 'none (getPeftModel adds the first)'}`
    )
  }

  async #add(
    what: string,
    name: string,
    open: (over: { parts: TaskParts<Head>; task: TaskType }) => Promise<OpenAdapter<Head>>
  ): Promise<void> {
    if (this.#under === null || this.#unloaded) {
      throw new SwarmError('INVALID_ARGUMENT', `${what}: the model has no adapter (add the first with getPeftModel)`)
    }
    checkAdapterName(name, this.#adapters.keys())
    const { parts } = this.#under
    const { method, head, release } = await open({ parts, task: this.task })
    if (this.#adapters.has(name)) {
      await release()
      checkAdapterName(name, this.#adapters.keys())
    }
    this.#adapters.set(name, { parts: partsOf(parts, head), tuning: method, release })
  }

  /** Removes the adapters and releases their memory. */
  protected async release(): Promise<void> {
    this.#unloaded = true
    for (const { release } of this.#adapters.values()) await release()
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
   * needs no other base; `initialization: 'kept'` writes it as it is. Of several adapters each but `default` gets a
   * folder of its name, as in PEFT. Throws INVALID_ARGUMENT without an adapter.
   */
  async savePretrained(directory: string, options: SaveOptions = {}): Promise<void> {
    checkOptions('savePretrained', options, { initialization: true, signal: true })
    if (this.tuning === null) {
      throw new SwarmError('INVALID_ARGUMENT', 'savePretrained: the model has no adapter (add one with getPeftModel)')
    }
    const { task } = this
    const all = this.#adapters.size === 0 ? [[defaultName, this.acting] as const] : [...this.#adapters]
    for (const [name, { parts, tuning }] of all) {
      const folder = name === defaultName ? directory : files.join(directory, name)
      const { parameters: modules, savedModules: headModules } = parts.head
      const baseModel = parts.checkpoint.path
      await saveAdapter(tuning!, folder, { baseModel, task, modules, headModules, ...options })
    }
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
