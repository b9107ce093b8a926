// The API over a small swarm, in the test's process: requests go to the application itself, or over a socket that the test opens.
import type { ChatTemplate, DistributedModelForCausalLM } from '../client/index.ts'
import { silent } from '../common/logger.ts'
import { createApp } from '../gateway/app.ts'
import { type Api, createGatewayContext, type GatewayContext } from '../gateway/http/api.ts'
import type { GatewaySettings } from '../gateway/http/settings.ts'
import { createFineTuning } from '../gateway/jobs/index.ts'
import { ModelRegistry } from '../gateway/models/registry.ts'
import type { ServedModel } from '../gateway/models/served-model.ts'
import { memoryStore, type Store } from '../gateway/storage/store.ts'

/** ChatML, as most small chat models write conversations; models/tiny has no template of its own. */
export const chatTemplate: ChatTemplate = {
  source:
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  specialTokens: { eos_token: '<|endoftext|>' },
  file: 'testing/gateway.ts'
}

/** The model as the gateway serves it. */
export function served(model: DistributedModelForCausalLM, init: Partial<ServedModel> = {}): ServedModel {
  const { tokenizer } = model
  return {
    id: 'tiny',
    baseId: null,
    model,
    tokenizer,
    template: chatTemplate,
    contextLength: model.config.maxPositions,
    created: 1_780_000_000,
    folder: null,
    ...init
  }
}

/** The API over these models. */
export function gatewayOver(
  models: readonly ServedModel[],
  store: Store = memoryStore(),
  settings: Partial<GatewaySettings> = {}
): { readonly api: Api; readonly context: GatewayContext } {
  const registry = new ModelRegistry()
  for (const model of models) registry.add(model)
  const shared = { models: registry, store, logger: silent }
  const context = createGatewayContext({ ...shared, ...createFineTuning(shared) }, settings)
  return { api: createApp(context), context }
}
