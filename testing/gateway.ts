// The API over a small swarm, in the test's process: requests go to the application itself, or over a socket that the test opens.
import type { ChatTemplate, DistributedModelForCausalLM } from '../client/index.ts'
import { silent } from '../common/logger.ts'
import { createApp } from '../gateway/app.ts'
import { type Api, createGatewayContext, type GatewayContext } from '../gateway/http/api.ts'
import type { GatewaySettings } from '../gateway/http/settings.ts'
import { createFineTuning } from '../gateway/jobs/index.ts'
import { ModelRegistry } from '../gateway/models/registry.ts'
import type { Served, ServedModel } from '../gateway/models/served-model.ts'
import { memoryStore, type Store } from '../gateway/storage/store.ts'

/** ChatML, as most small chat models write conversations; models/tiny has no template of its own. */
export const chatTemplate: ChatTemplate = {
  source:
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  specialTokens: { eos_token: '<|endoftext|>' },
  file: 'testing/gateway.ts'
}

/** The same with tools, as Hermes and Qwen write them. */
export const toolTemplate: ChatTemplate = {
  ...chatTemplate,
  source:
    "{% if tools %}{{ '<|im_start|>system\\n<tools>\\n' }}{% for tool in tools %}{{ (tool | tojson) + '\\n' }}{% endfor %}" +
    "{{ '</tools><|im_end|>\\n' }}{% endif %}" +
    "{% for message in messages %}{% if message.role == 'tool' %}" +
    "{{ '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}" +
    "{% else %}{{ '<|im_start|>' + message.role + '\\n' + message.content }}{% for call in message.tool_calls or [] %}" +
    '{{ \'\\n<tool_call>\\n{"name": "\' + call.function.name + \'", "arguments": \' + (call.function.arguments | tojson) ' +
    "+ '}\\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
}

/** The same with thoughts where they are asked for. */
export const agentTemplate: ChatTemplate = {
  ...toolTemplate,
  source: `${toolTemplate.source}{% if add_generation_prompt and enable_thinking %}{{ '<think>\\n' }}{% endif %}`
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
  models: readonly Served[],
  store: Store = memoryStore(),
  settings: Partial<GatewaySettings> = {}
): { readonly api: Api; readonly context: GatewayContext } {
  const registry = new ModelRegistry()
  for (const model of models) registry.add(model)
  const shared = { models: registry, store, logger: silent }
  const context = createGatewayContext({ ...shared, ...createFineTuning(shared) }, settings)
  return { api: createApp(context), context }
}
