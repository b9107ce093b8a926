// Fine-tuning as PEFT's users know it: a model with an adapter over it, trained, saved and loaded.
import { CausalModel } from './causal-model.ts'
import type { DistributedModelForCausalLM } from './model.ts'
import type { Parameter } from './parameter.ts'
import type { ModelParts } from './parts.ts'
import {
  createTuning,
  loadAdapter,
  type PeftConfig,
  saveAdapter,
  type TuningMethod,
  type TuningTarget
} from './tuning/index.ts'

/** What a tuning method may know of the model. */
function targetOf({ checkpoint, embeddings, tokenizer }: ModelParts): TuningTarget {
  const { config, family } = checkpoint
  return {
    modules: family.linearModules(config),
    defaultTargets: family.defaultTargets,
    numBlocks: config.numBlocks,
    // of what a prompt is put before
    hiddenSize: embeddings.width,
    vocabSize: config.vocabSize,
    numHeads: config.numHeads,
    keyValue: { heads: config.numKeyValueHeads, headDim: config.headDim },
    moduleWeightName: family.moduleWeightName,
    embedRows: async ids => embeddings.rows(ids),
    tokenizer: tokenizer ?? undefined
  }
}

/** The model's own parameters stay as they are while an adapter is trained. */
function freeze(model: DistributedModelForCausalLM): void {
  for (const parameter of model.parameters()) parameter.requiresGrad = false
}

export class PeftModel extends CausalModel {
  /** the model under the adapter; it goes on generating as if there were none */
  readonly base: DistributedModelForCausalLM
  readonly #method: TuningMethod

  constructor(base: DistributedModelForCausalLM, method: TuningMethod, options: { seed?: number } = {}) {
    super(base.parts, method, options)
    this.base = base
    this.#method = method
  }

  /** The adapter's configuration, every default filled in. */
  get peftConfig(): unknown {
    return this.#method.config
  }

  /** The adapter's parameters. */
  override parameters(): readonly Parameter[] {
    return this.#method.parameters
  }

  /** Writes the adapter so that PEFT loads it: `adapter_config.json`, `adapter_model.safetensors`. */
  async savePretrained(directory: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await saveAdapter(this.#method, directory, { baseModel: this.parts.checkpoint.path, ...options })
  }

  /**
   * An adapter that we or PEFT saved, over its base model, whose parameters are frozen. As in PEFT it is not trainable
   * unless `isTrainable` says so. Throws NOT_FOUND, BAD_CHECKPOINT, UNSUPPORTED.
   */
  static async fromPretrained(
    base: DistributedModelForCausalLM,
    directory: string,
    options: { isTrainable?: boolean; seed?: number; signal?: AbortSignal } = {}
  ): Promise<PeftModel> {
    const method = await loadAdapter(directory, targetOf(base.parts), options)
    freeze(base)
    return new PeftModel(base, method, options)
  }
}

/**
 * A new adapter over a model, whose own parameters are frozen. `seed` decides the first values and, where calls bring
 * no seed of their own, dropout. Throws INVALID_ARGUMENT for a configuration that does not fit the model.
 */
export async function getPeftModel(
  base: DistributedModelForCausalLM,
  config: PeftConfig,
  options: { seed?: number; signal?: AbortSignal } = {}
): Promise<PeftModel> {
  const method = await createTuning(config, targetOf(base.parts), options)
  freeze(base)
  return new PeftModel(base, method, options).train()
}
