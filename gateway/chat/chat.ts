// A chat over the swarm: messages become a prompt by the model's template, its completion becomes the events of an answer.
import { renderChat } from '../../client/index.ts'
import { complete } from '../completion/complete.ts'
import { ApiError } from '../errors.ts'
import type { ChatEvent, ChatRequest } from './request.ts'

/** Throws ApiError for what cannot be answered, before the first event. */
export async function* answerChat(request: ChatRequest): AsyncGenerator<ChatEvent> {
  const { model, messages, sampling, n, topLogprobs, templateVariables: variables, signal } = request
  if (model.template === null) {
    throw new ApiError(
      `model '${model.id}' has no chat template (a base model?): use /v1/completions, or give the gateway one with --chat-template`,
      { status: 400, code: 'no_chat_template', param: 'model' }
    )
  }
  const text = renderChat(model.template, messages, { addGenerationPrompt: true, variables })
  const prompt = model.tokenizer.encode(text, { addSpecialTokens: false })
  yield { type: 'start', promptTokens: prompt.length, droppedMessages: 0 }
  let completionTokens = 0
  for await (const event of complete({ model, prompt, sampling, n, topLogprobs, signal })) {
    const { choice, finish } = event
    completionTokens += event.tokens
    yield { type: 'content', choice, text: event.text, logprobs: event.logprobs }
    if (finish !== null) yield { type: 'finish', choice, reason: finish }
  }
  yield { type: 'usage', usage: { promptTokens: prompt.length, completionTokens, reasoningTokens: 0 } }
}
