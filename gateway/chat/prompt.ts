// The prompt of a chat: messages and tools as the model's template writes them, cut to the context where the request allows it.
import { createHash } from 'node:crypto'
import { type ChatMessage, type ChatTemplate, encodeChat } from '../../client/index.ts'
import { ApiError, invalid } from '../errors.ts'
import { farTooLong, isFarTooLong } from '../models/prompt-room.ts'
import type { ServedModel } from '../models/served-model.ts'
import { begunThoughts, endsThoughts, openThoughts } from './answer/thoughts.ts'
import { type TemplateCalls, templateCalls, toTemplateTools } from './calls/template-calls.ts'
import type { ChatRequest } from './request.ts'

type Asked = Omit<ChatRequest, 'sampling' | 'signal'>

export interface ChatPrompt {
  /** token ids */
  readonly ids: readonly number[]
  /** what ends the thoughts that the prompt has begun; null: it has begun none */
  readonly thoughts: string | null
  /** the answer may begin thoughts: the prompt neither begins nor ends them */
  readonly mayThink: boolean
  readonly droppedMessages: number
}

/** Throws ApiError 400 for a model without one. */
export function templateOf({ id, template }: ServedModel): ChatTemplate {
  if (template !== null) return template
  throw new ApiError(
    `model '${id}' has no chat template (a base model?): use /v1/completions, or give the gateway one with --chat-template`,
    { status: 400, code: 'no_chat_template', param: 'model' }
  )
}

/** The tools that the model is told of: none where it must not call any. */
export const activeTools = ({ tools = [], toolChoice }: Asked): NonNullable<ChatRequest['tools']> =>
  toolChoice === 'none' ? [] : tools

interface MessageCall {
  readonly id?: unknown
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown }
}

const shortId = /^[A-Za-z0-9]{9}$/

/** An id of nine letters or digits for one that has another form. */
function toShortId(id: unknown): unknown {
  if (typeof id !== 'string' || shortId.test(id)) return id
  return createHash('sha256').update(id).digest('hex').slice(0, 9)
}

/** Messages as this template takes them: ids and arguments of calls in its form, results with the names of their tools. */
function toTemplateMessages(messages: readonly ChatMessage[], calls: TemplateCalls): readonly ChatMessage[] {
  const names = new Map<unknown, unknown>()
  const idOf = (id: unknown): unknown => (calls.wantsShortIds ? toShortId(id) : id)
  const toCall = (call: MessageCall): object => {
    const { name, arguments: given } = call.function ?? {}
    names.set(call.id, name)
    const wanted = calls.wantsText && typeof given !== 'string' ? JSON.stringify(given) : given
    return { ...call, id: idOf(call.id), function: { ...call.function, arguments: wanted } }
  }
  return messages.map(message => {
    const { tool_calls: made, tool_call_id: id } = message
    if (Array.isArray(made) && made.length > 0) return { ...message, tool_calls: made.map(toCall) }
    if (message.role !== 'tool' || id === undefined) return message
    const name = message.name ?? names.get(id)
    return { ...message, tool_call_id: idOf(id), ...(name !== undefined && { name }) }
  })
}

/** Templates leave out old thoughts, and tools that they do not know: a conversation may be longer than its prompt, not this many times. */
const timesContext = 8

/** All texts that a conversation is written from. */
function* textsOf(request: Asked, messages: readonly ChatMessage[]): Generator<string> {
  for (const tool of activeTools(request)) yield JSON.stringify(tool)
  if (request.templateVariables !== undefined) yield JSON.stringify(request.templateVariables)
  for (const message of messages) {
    for (const value of Object.values(message)) {
      if (typeof value === 'string') yield value
      else if (value !== undefined) yield JSON.stringify(value)
    }
  }
}

const isHopeless = (request: Asked, messages: readonly ChatMessage[]): boolean =>
  isFarTooLong(request.model, textsOf(request, messages), timesContext)

/** Writes conversations of a request. Throws ApiError 400 for one that is far too long. */
function writerOf(request: Asked): (messages: readonly ChatMessage[]) => Omit<ChatPrompt, 'droppedMessages'> {
  const { model, continueLast = false, templateVariables } = request
  const template = templateOf(model)
  const calls = templateCalls(template)
  const tools = activeTools(request)
  const variables = { ...templateVariables, ...(tools.length > 0 && { tools: toTemplateTools(tools) }) }
  return messages => {
    if (isHopeless(request, messages)) throw farTooLong(model, 'messages', timesContext)
    const given = toTemplateMessages(messages, calls)
    const last = given.at(-1)
    if (continueLast && (last?.role !== 'assistant' || typeof last.content !== 'string')) {
      throw invalid(`only an assistant's text can be continued, found a message of '${last?.role}'`, 'messages')
    }
    const options = { addGenerationPrompt: true, continueLast, variables }
    const { ids, text, plainText } = encodeChat(model.tokenizer, template, given, options)
    if (continueLast) return { ids, thoughts: openThoughts(String(last!.content)), mayThink: false }
    // a text of the user at the end begins no thoughts
    const end = text.trimEnd().length
    const isWritten = !plainText.some(range => range.end >= end)
    const thoughts = isWritten ? begunThoughts(text) : null
    return { ids, thoughts, mayThink: thoughts === null && !(isWritten && endsThoughts(text)) }
  }
}

/** Token ids of the whole prompt. Throws ApiError 400 where the model has no template or the template refuses the messages. */
export function promptOf(request: Asked): readonly number[] {
  return request.prompt ?? writerOf(request)(request.messages).ids
}

const isStanding = ({ role }: ChatMessage): boolean => role === 'system' || role === 'developer'

/** Turns: a user's message and all up to the next one, so calls of tools stay with their results. */
function turnsOf(messages: readonly ChatMessage[]): readonly (readonly ChatMessage[])[] {
  const turns: ChatMessage[][] = []
  for (const message of messages) {
    const begins = message.role === 'user' && turns.at(-1)?.some(({ role }) => !isStanding({ role }))
    if (turns.length === 0 || begins) turns.push([])
    turns.at(-1)!.push(message)
  }
  return turns
}

/**
 * The prompt with room for the answer; with `truncation: 'auto'` without the oldest turns, as few as possible. System messages and the last
 * turn stay. A prompt that is still too long is returned as it is.
 */
export function fittingPrompt(request: ChatRequest): ChatPrompt {
  const { prompt, messages, model, sampling, truncation = 'disabled' } = request
  if (prompt !== undefined) return { ids: prompt, thoughts: null, mayThink: true, droppedMessages: 0 }
  const write = writerOf(request)
  const most = model.contextLength - Math.max(1, sampling.maxTokens ?? 1)
  const whole =
    truncation === 'auto' && isHopeless(request, messages) ? null : { ...write(messages), droppedMessages: 0 }
  if (whole !== null && (truncation === 'disabled' || whole.ids.length <= most)) return whole
  const turns = turnsOf(messages)
  const restOf = (count: number): readonly ChatMessage[] =>
    turns.flatMap((turn, at) => (at < count ? turn.filter(isStanding) : turn))
  const without = (count: number): ChatPrompt => {
    const kept = restOf(count)
    return { ...write(kept), droppedMessages: messages.length - kept.length }
  }
  // the least number of turns without which the rest fits
  let [least, greatest] = [1, turns.length - 1]
  const fits = (count: number): boolean => {
    const rest = restOf(count)
    return !isHopeless(request, rest) && write(rest).ids.length <= most
  }
  while (least < greatest) {
    const middle = Math.floor((least + greatest) / 2)
    if (fits(middle)) greatest = middle
    else least = middle + 1
  }
  if (greatest >= 1) return without(least)
  return whole ?? { ...write(messages), droppedMessages: 0 }
}
