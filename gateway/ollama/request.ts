// Requests of Ollama's /api/chat and /api/generate as the gateway's own. Knows no HTTP.
import type { ChatMessage } from '../../client/index.ts'
import { promptOf } from '../chat/prompt.ts'
import type { AnswerFormat, ChatRequest } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import { farTooLong, isFarTooLong } from '../models/prompt-room.ts'
import { encodePrompt, type ServedModel } from '../models/served-model.ts'
import { samplingOf } from './options.ts'
import type { OllamaChatBody, OllamaGenerateBody } from './schema.ts'

function toFormat(format: OllamaChatBody['format']): AnswerFormat | undefined {
  if (format === undefined || format === null || format === '') return undefined
  return format === 'json' ? { type: 'json_object' } : { type: 'json_schema', schema: format, strict: true }
}

/** What the chat template is told of thoughts. Throws ApiError 400 where it cannot make the model think. */
function toVariables(
  think: OllamaChatBody['think'],
  { id, template }: ServedModel
): Record<string, unknown> | undefined {
  if (think === undefined || think === null) return undefined
  const source = template?.source ?? ''
  if (think === false) return { enable_thinking: false }
  if (typeof think === 'string' && !source.includes('reasoning_effort')) {
    throw invalid(`think: model '${id}' has no levels of thinking; expected true or false, found '${think}'`, 'think')
  }
  if (!/think|reasoning/.test(source)) {
    throw invalid(`think: model '${id}' does not think before it answers: leave it out or set it to false`, 'think')
  }
  return { enable_thinking: true, ...(typeof think === 'string' && { reasoning_effort: think }) }
}

/** The model with no more room than the request wants. */
function within(model: ServedModel, contextLength: number | null | undefined): ServedModel {
  return contextLength && contextLength < model.contextLength ? { ...model, contextLength } : model
}

/** What both requests have in common. */
function toAnswer(
  body: OllamaChatBody | OllamaGenerateBody,
  model: ServedModel
): Omit<ChatRequest, 'messages' | 'signal'> {
  if (body.top_logprobs && !body.logprobs) throw invalid('top_logprobs: needs logprobs: true', 'top_logprobs')
  return {
    model: within(model, body.options?.num_ctx),
    format: toFormat(body.format),
    templateVariables: toVariables(body.think, model),
    sampling: samplingOf(body.options ?? {}),
    topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
    truncation: body.truncate === false ? 'disabled' : 'auto'
  }
}

/** Messages as chat templates read them: calls and results belong together by an id, which Ollama's clients may leave out. */
function toMessages(given: NonNullable<OllamaChatBody['messages']>): ChatMessage[] {
  /** calls whose result has not come, oldest first */
  const open: { id: string; name: string }[] = []
  let count = 0
  return given.map((message, index) => {
    const { role, content, thinking, tool_calls: calls, tool_name: name, tool_call_id: id } = message
    const place = `messages[${index}]`
    if (role !== 'assistant' && calls?.length) {
      throw invalid(`${place}.tool_calls: only an assistant calls tools, found '${role}'`, `${place}.tool_calls`)
    }
    if (role === 'tool') {
      const at = Math.max(
        0,
        open.findIndex(call => (id ? call.id === id : name ? call.name === name : true))
      )
      const [call] = open.splice(at, 1)
      const called = name ?? call?.name
      return {
        role,
        content: content ?? '',
        ...((id ?? call?.id) !== undefined && { tool_call_id: id ?? call?.id }),
        ...(called !== undefined && { name: called })
      }
    }
    return {
      role,
      content: content ?? '',
      ...(thinking && { reasoning_content: thinking }),
      ...(calls?.length && {
        tool_calls: calls.map(({ id, function: { name, arguments: input } }) => {
          const call = { id: id ?? `call_${count}`, name }
          count += 1
          open.push(call)
          return { id: call.id, type: 'function', function: { name, arguments: input } }
        })
      })
    }
  })
}

/** A conversation. Throws ApiError 400 for fields that contradict each other. */
export function chatRequestOf(body: OllamaChatBody, model: ServedModel, signal: AbortSignal): ChatRequest {
  const messages = toMessages(body.messages ?? [])
  const last = messages.at(-1)
  const continueLast = last?.role === 'assistant' && last.content !== '' && last.tool_calls === undefined
  return {
    ...toAnswer(body, model),
    messages,
    ...(continueLast && { continueLast }),
    tools: body.tools?.length
      ? body.tools.map(({ function: { name, description, parameters } }) => ({
          name,
          description: description ?? undefined,
          parameters: parameters ?? undefined
        }))
      : undefined,
    signal
  }
}

/** A prompt: one message of the user to a model with a chat template, else the text itself, after the context of an earlier answer. */
export function generateRequestOf(body: OllamaGenerateBody, model: ServedModel, signal: AbortSignal): ChatRequest {
  const { system, raw, context } = body
  const prompt = body.prompt ?? ''
  const answer = { ...toAnswer(body, model), signal }
  const { bosTokenId, vocabSize } = model.model.config
  if (context?.some(id => id >= vocabSize)) {
    throw invalid(`context: expected token ids below ${vocabSize}, as an answer of this model has them`, 'context')
  }
  const after = (ids: readonly number[]): readonly number[] =>
    context?.length ? [...context, ...(ids[0] === bosTokenId ? ids.slice(1) : ids)] : ids
  if (raw || model.template === null) {
    if (system) {
      const reason = raw ? 'a raw prompt is continued as it is' : `model '${model.id}' has no chat template to write it`
      throw invalid(`system: ${reason}: put it into the prompt`, 'system')
    }
    if (isFarTooLong(model, [prompt])) throw farTooLong(model, 'prompt')
    return { ...answer, messages: [], prompt: after(encodePrompt(model, prompt)) }
  }
  const messages = [...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content: prompt }]
  const request = { ...answer, messages }
  return context?.length ? { ...request, messages: [], prompt: after(promptOf(request)) } : request
}

/** The context after an answer: token ids of prompt, answer and, where it ended by itself, the token that ends it. */
export function contextAfter(request: ChatRequest, text: string, hasEnded: boolean): readonly number[] {
  const { tokenizer, model } = request.model
  const [end] = model.config.eosTokenIds
  return [
    ...promptOf(request),
    ...tokenizer.encode(text, { addSpecialTokens: false, plainText: true }),
    ...(hasEnded && end !== undefined ? [end] : [])
  ]
}
