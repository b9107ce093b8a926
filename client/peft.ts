// Fine-tuning as PEFT's users know it: a model with an adapter over it, trained, saved and loaded. Knows no task.

import { checkOptions } from '../common/options.ts'
import type { ModulesToSave } from './heads/modules-to-save.ts'
import type { TaskHead } from './heads/program.ts'
import type { Parameter } from './local/parameter.ts'
import type { AdaptOptions } from './models/adapted.ts'
import type { DistributedModelForCausalLM } from './models/causal.ts'
import type { ModelParts, TaskParts } from './models/model-parts.ts'
import {
  clientChanges,
  createTuning,
  loadAdapter,
  type PeftConfig,
  type TaskType,
  type TuningMethod,
  type TuningTarget
} from './tuning/index.ts'
import { checkpointTarget } from './tuning/target.ts'

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

/** What a tuning method may know of the model. */
function targetOf({ checkpoint, embeddings, tokenizer }: ModelParts, task: TaskType): TuningTarget {
  return {
    ...checkpointTarget(checkpoint, task),
    // of what a prompt is put before
    hiddenSize: embeddings.width,
    embedRows: async ids => embeddings.rows(ids),
    tokenizer: tokenizer ?? undefined
  }
}

/** What a method trains or changes of the model's own tensors. */
export function chosenBy(method: TuningMethod): ModulesToSave {
  const { modulesToSave = [], wholeModules, clientBiases = false, tiesWeights } = method
  return {
    modules: modulesToSave,
    paths: wholeModules,
    biases: clientBiases,
    tied: tiesWeights,
    changes: clientChanges(method)
  }
}

/** The model under a method, which is freed with it. */
function adapted<Head extends TaskHead<Head>, Tuned>(
  base: TunableModel<Head, Tuned>,
  method: TuningMethod,
  head: Head,
  { seed }: { seed?: number }
): Tuned {
  const { owned } = base.parts
  const adapter = {
    async close() {
      owned.delete(adapter)
      await Promise.all([head.close(), method.close?.()])
    }
  }
  owned.add(adapter)
  freeze(base.parts)
  return base.adapt(method, head, { seed, release: () => adapter.close() })
}

/** The model's own parameters stay as they are while an adapter is trained. */
function freeze({ parameters }: ModelParts): void {
  for (const parameter of parameters.values()) parameter.requiresGrad = false
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
  const method = await createTuning(config, targetOf(base.parts, base.task), options)
  const model = adapted(base, method, base.parts.head.copy({ ...chosenBy(method), head: 'fresh' }), options)
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
    const { parts, task } = base
    let head = parts.head
    const modulesOf = (method: TuningMethod, headModules: readonly string[]) => {
      head = parts.head.copy({ ...chosenBy(method), head: headModules })
      return head.parameters
    }
    const isOfHead = (name: string) => parts.head.hasModule?.(name) ?? false
    const method = await loadAdapter(directory, targetOf(parts, task), { ...options, task, modulesOf, isOfHead })
    return adapted(base, method, head, options)
  }
}
