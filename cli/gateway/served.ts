// The models that a gateway serves, opened as the flags say.
import type { DistributedModelForCausalLM } from '../../client/index.ts'
import type { ModelRegistry } from '../../gateway/models/registry.ts'
import { UsageError } from '../errors/usage.ts'
import { openBaseModel, readTemplate } from '../generation.ts'
import type { ApiFlags } from './options.ts'

/** Opens the models one after the other and adds them to the registry. Those that are open are closed where one fails. */
export async function openModels(
  paths: readonly string[],
  registry: ModelRegistry,
  flags: ApiFlags,
  signal: AbortSignal
): Promise<AsyncDisposable> {
  const source = flags.chatTemplate === undefined ? undefined : await readTemplate(flags.chatTemplate)
  const opened: DistributedModelForCausalLM[] = []
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(model => model.close()))
  }
  try {
    for (const path of paths) {
      const model = await openBaseModel(path, flags, signal)
      opened.push(model)
      const { tokenizer, config } = model
      const { name } = model.parts.checkpoint
      if (registry.list().some(({ id }) => id === name)) {
        throw new UsageError(`${path}: another model is called '${name}': requests could not tell them apart`)
      }
      registry.add({
        id: name,
        baseId: null,
        model,
        tokenizer,
        template:
          source === undefined
            ? tokenizer.chatTemplate
            : { specialTokens: tokenizer.specialTokens, source, file: flags.chatTemplate! },
        contextLength: config.maxPositions,
        created: Math.floor(Date.now() / 1000),
        folder: null
      })
    }
    return { [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
