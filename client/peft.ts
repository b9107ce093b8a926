// Fine-tuning as PEFT's users know it: a model with an adapter over it, trained, saved and loaded. Knows no task.

import { checkOptions } from '../common/options.ts'
import type { TaskHead } from './heads/program.ts'
import type { Parameter } from './local/parameter.ts'
import type { AdaptOptions } from './models/adapted.ts'
import { newAdapter, type OpenAdapter, savedAdapter } from './models/adapters.ts'
import type { DistributedModelForCausalLM } from './models/causal.ts'
import type { TaskParts } from './models/model-parts.ts'
import type { PeftConfig, TaskType, TuningMethod } from './tuning/index.ts'

/** A model that an adapter can be put over. */
export interface TunableModel<Head extends TaskHead<Head>, Tuned> {
  /** what the head does */
  readonly task: TaskType
  /** what the model consists of */
  readonly parts: TaskParts<Head>
  /** The parameters of the model and its head, in a fixed order. */
  parameters(): readonly Parameter[]
  /** This model with the tuning method's ports filled and the given head. `getPeftModel` and `PeftModel` call it. */
  adapt(method: TuningMethod, head: Head, options: AdaptOptions): Tuned
}

/** What a model with an adapter is; the plain one's class says which. */
export type PeftModel<Base extends { adapt(...parameters: never): unknown } = DistributedModelForCausalLM> = ReturnType<
  Base['adapt']
>

/** The model under an adapter, which is freed with it. */
function adapted<Head extends TaskHead<Head>, Tuned>(
  base: TunableModel<Head, Tuned>,
  { method, head, release }: OpenAdapter<Head>,
  { seed }: { seed?: number }
): Tuned {
  return base.adapt(method, head, { seed, release })
}

/**
 * A new adapter over a model, whose own parameters are frozen. The head of a classification is trained with it, as a copy:
 * the base model keeps its own. `seed` decides the first values and, where calls bring no seed of their own, dropout.
 * Throws INVALID_ARGUMENT for a configuration that does not fit the model.
 */
export async function getPeftModel<Head extends TaskHead<Head>, Tuned extends { train(): unknown }>(
  base: TunableModel<Head, Tuned>,
  config: PeftConfig,
  options: { seed?: number; signal?: AbortSignal } = {}
): Promise<Tuned> {
  checkOptions('getPeftModel', options, { seed: true, signal: true })
  const model = adapted(base, await newAdapter(base, config, options), options)
  model.train()
  return model
}

/** Opens saved adapters; the type `PeftModel` is a model with one. */
export const PeftModel = {
  /**
   * An adapter that we or PEFT saved, over its base model, whose parameters are frozen. As in PEFT it is not trainable
   * unless `isTrainable` says so. Throws NOT_FOUND, BAD_CHECKPOINT (also for an adapter of another task), UNSUPPORTED.
   */
  async fromPretrained<Head extends TaskHead<Head>, Tuned>(
    base: TunableModel<Head, Tuned>,
    directory: string,
    options: { isTrainable?: boolean; seed?: number; signal?: AbortSignal } = {}
  ): Promise<Tuned> {
    checkOptions('PeftModel.fromPretrained', options, { isTrainable: true, seed: true, signal: true })
    return adapted(base, await savedAdapter(base, directory, options), options)
  }
}
