// Adapters that jobs have made, served beside their base models. Knows no queue.
import { join } from 'node:path'
import { PeftModel } from '../../client/index.ts'
import type { ModelRegistry } from '../models/registry.ts'
import { trainableBase, virtualTokensOf } from './data.ts'
import type { Job } from './job.ts'

/** Opens the adapter of a job and adds it to the models. Throws where its base model is not served, and for a damaged adapter. */
export async function serveAdapter(models: ModelRegistry, job: Job, folder: string): Promise<void> {
  const base = trainableBase(models, job.model)
  const model = await PeftModel.fromPretrained(base.model, folder)
  models.add({
    ...base,
    id: job.fineTunedModel,
    baseId: base.id,
    model,
    contextLength: base.contextLength - virtualTokensOf(job.config?.peft ?? {}),
    created: job.finished ?? job.created,
    folder
  })
}

/** Files of an adapter in PEFT's format. */
export const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors'] as const

export const adapterPaths = (folder: string): readonly string[] => adapterFiles.map(name => join(folder, name))
