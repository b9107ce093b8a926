// A chat over the swarm: messages become a prompt by the model's template, its completion becomes the events of an answer.
import { encodeChat } from '../../client/index.ts'
import { complete } from '../completion/complete.ts'
import { ApiError, invalid } from '../errors.ts'
import type { ChatEvent, ChatRequest } from './request.ts'

/** Token ids of the prompt. Throws ApiError 400 where the model has no template or the template refuses the messages. */
export function promptOf(request: Omit<ChatRequest, 'sampling' | 'signal'>): readonly number[] {
  const { model, messages, prompt, continueLast = false, templateVariables: variables } = request
  if (prompt !== undefined) return prompt
  if (model.template === null) {
    throw new ApiError(
      `model '${model.id}' has no chat template (a base model?): use /v1/completions, or give the gateway one with --chat-template`,
      { status: 400, code: 'no_chat_template', param: 'model' }
    )
  }
  if (continueLast && (messages.at(-1)?.role !== 'assistant' || typeof messages.at(-1)?.content !== 'string')) {
    throw invalid(
      `only an assistant's text can be continued, found a message of '${messages.at(-1)?.role}'`,
      'messages'
    )
  }
  return encodeChat(model.tokenizer, model.template, messages, { addGenerationPrompt: true, continueLast, variables })
    .ids
}

/** Throws ApiError for what cannot be answered, before the first event. */
export async function* answerChat(request: ChatRequest): AsyncGenerator<ChatEvent> {
  const { model, sampling, n, topLogprobs, signal } = request
  const prompt = promptOf(request)
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
