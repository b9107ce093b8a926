// Adapters that jobs have made, served beside their base models. Knows no queue.
import { join } from 'node:path'
import { checkpointsOf, PeftModel, type PeftModelForCausalLM } from '../../client/index.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { ServedModel } from '../models/served-model.ts'
import { trainableBase, virtualTokensOf } from './data.ts'
import { checkpointModel, type Job } from './job.ts'

/** An adapter that is served. */
export interface ServedAdapter {
  readonly id: string
  readonly model: PeftModelForCausalLM
}

/**
 * Opens the adapter of a job and those of its checkpoints, and adds them to the models; checkpoints are not listed. Throws where its base
 * model is not served, and for a damaged adapter; nothing is added then.
 */
async function serveAdapters(models: ModelRegistry, job: Job, folder: string): Promise<ServedAdapter[]> {
  const base = trainableBase(models, job.model)
  const model = await PeftModel.fromPretrained(base.model, folder)
  const served: ServedModel & ServedAdapter = {
    ...base,
    id: job.fineTunedModel,
    baseId: base.id,
    model,
    vectors: undefined,
    contextLength: base.contextLength - virtualTokensOf(job.config?.peft ?? {}),
    created: job.finished ?? job.created,
    folder
  }
  const all = [served]
  for (const { step, path } of await checkpointsOf(folder)) {
    const isEnd = step === job.step && job.config?.load_best_model_at_end !== true
    const opened = isEnd ? model : await PeftModel.fromPretrained(base.model, path)
    all.push({ ...served, id: checkpointModel(job, step), model: opened, folder: path, isUnlisted: true })
  }
  for (const each of all) models.add(each)
  return all
}

/** The adapters of jobs among the models of a gateway. */
export class JobAdapters {
  readonly #models: ModelRegistry
  /** by the id of the job that made them */
  readonly #served = new Map<string, readonly ServedAdapter[]>()

  constructor(models: ModelRegistry) {
    this.#models = models
  }

  /** @returns why the adapters in a job's folder are not served; null: they are */
  async serve(job: Job, folder: string): Promise<unknown> {
    try {
      this.#served.set(job.id, await serveAdapters(this.#models, job, folder))
      return null
    } catch (error) {
      return error
    }
  }

  /** @returns the adapters that are no longer served */
  withdraw(id: string): readonly ServedAdapter[] {
    const withdrawn = this.#served.get(id) ?? []
    this.#served.delete(id)
    for (const adapter of withdrawn) this.#models.remove(adapter.id)
    return withdrawn
  }
}

/** Files of an adapter in PEFT's format. */
export const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors'] as const

export const adapterPaths = (folder: string): readonly string[] => adapterFiles.map(name => join(folder, name))
