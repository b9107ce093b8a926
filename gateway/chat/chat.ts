// A chat over the swarm: messages become a prompt by the model's template, its completion becomes the events of an answer.
import { type ChatMessage, type ChatTemplate, renderChat } from '../../client/index.ts'
import { complete } from '../completion/complete.ts'
import { ApiError, invalid } from '../errors.ts'
import type { ChatEvent, ChatRequest } from './request.ts'

/** The text that the template writes up to the end of the last message, which the model is to continue. */
function renderUnfinished(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  variables: ChatRequest['templateVariables']
): string {
  const last = messages.at(-1)
  if (last?.role !== 'assistant' || typeof last.content !== 'string') {
    throw invalid(`only an assistant's text can be continued, found a message of '${last?.role}'`, 'messages')
  }
  const all = JSON.stringify(messages)
  const mark = Array.from({ length: 64 }, (_, at) => String.fromCharCode(0xe0f0 + at)).find(one => !all.includes(one))
  if (mark === undefined) throw invalid('the conversation uses all characters that could mark its end', 'messages')
  const marked = [...messages.slice(0, -1), { ...last, content: last.content + mark }]
  const parts = renderChat(template, marked, { variables }).split(mark)
  if (parts.length === 2) return parts[0]!
  throw invalid(
    `the chat template does not write the last message as it is, so it cannot be continued: end with a message of 'user'`,
    'messages'
  )
}

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
  const text = continueLast
    ? renderUnfinished(model.template, messages, variables)
    : renderChat(model.template, messages, { addGenerationPrompt: true, variables })
  return model.tokenizer.encode(text, { addSpecialTokens: false })
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
