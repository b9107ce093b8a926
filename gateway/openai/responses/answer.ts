// The events of a chat as events of a response, and the response that they build.
import { z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import type { ChatEvent, TokenUsage } from '../../chat/request.ts'
import type { ApiError } from '../../errors.ts'
import { answerId, type TokenLogprob, toLogprobs } from '../chat-answer.ts'
import { type OutputItem, outputItem, outputTextPart } from './items.ts'
import { functionTool, type ResponseBody } from './request.ts'

const nullableText = z.string().nullable()

export const responseObject = z
  .object({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int(),
    completed_at: z.int().nullable(),
    status: z.enum(['completed', 'incomplete', 'in_progress']),
    background: z.literal(false),
    error: z.null(),
    incomplete_details: z.object({ reason: z.literal('max_output_tokens') }).nullable(),
    instructions: nullableText,
    max_output_tokens: z.int().nullable(),
    max_tool_calls: z.int().nullable(),
    metadata: z.record(z.string(), z.string()),
    model: z.string(),
    output: z.array(outputItem),
    parallel_tool_calls: z.boolean(),
    previous_response_id: nullableText,
    reasoning: z.object({ effort: nullableText, summary: nullableText }),
    service_tier: z.literal('default'),
    store: z.boolean(),
    temperature: z.number().nullable(),
    text: z.object({ format: z.looseObject({ type: z.string() }) }),
    tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]),
    tools: z.array(functionTool),
    top_logprobs: z.int(),
    top_p: z.number().nullable(),
    truncation: z.enum(['auto', 'disabled']),
    usage: z
      .object({
        input_tokens: z.int(),
        input_tokens_details: z.object({ cached_tokens: z.int() }),
        output_tokens: z.int(),
        output_tokens_details: z.object({ reasoning_tokens: z.int() }),
        total_tokens: z.int()
      })
      .nullable(),
    user: nullableText
  })
  .openapi('Response')

export type ResponseObject = z.infer<typeof responseObject>

const reasoningPart = z.object({ type: z.literal('reasoning_text'), text: z.string() })
const anyPart = z.discriminatedUnion('type', [outputTextPart, reasoningPart])

const sequence = { sequence_number: z.int() } as const
const place = { ...sequence, item_id: z.string(), output_index: z.int() } as const
const partPlace = { ...place, content_index: z.int() } as const
const itemPlace = { ...sequence, output_index: z.int() } as const

const lifecycle = <T extends string>(type: T) =>
  z.object({ type: z.literal(type), ...sequence, response: responseObject })

export const responseEvent = z
  .discriminatedUnion('type', [
    lifecycle('response.created'),
    lifecycle('response.in_progress'),
    lifecycle('response.completed'),
    lifecycle('response.incomplete'),
    z.object({ type: z.literal('response.output_item.added'), ...itemPlace, item: outputItem }),
    z.object({ type: z.literal('response.output_item.done'), ...itemPlace, item: outputItem }),
    z.object({ type: z.literal('response.content_part.added'), ...partPlace, part: anyPart }),
    z.object({ type: z.literal('response.content_part.done'), ...partPlace, part: anyPart }),
    z.object({
      type: z.literal('response.output_text.delta'),
      ...partPlace,
      delta: z.string(),
      logprobs: outputTextPart.shape.logprobs
    }),
    z.object({
      type: z.literal('response.output_text.done'),
      ...partPlace,
      text: z.string(),
      logprobs: outputTextPart.shape.logprobs
    }),
    z.object({ type: z.literal('response.reasoning_text.delta'), ...partPlace, delta: z.string() }),
    z.object({ type: z.literal('response.reasoning_text.done'), ...partPlace, text: z.string() }),
    z.object({ type: z.literal('response.function_call_arguments.delta'), ...place, delta: z.string() }),
    z.object({
      type: z.literal('response.function_call_arguments.done'),
      ...place,
      name: z.string(),
      arguments: z.string()
    }),
    z.object({
      type: z.literal('error'),
      ...sequence,
      message: z.string(),
      code: nullableText,
      param: nullableText,
      error: z.object({ message: z.string(), type: z.string(), code: nullableText, param: nullableText })
    })
  ])
  .openapi('ResponseStreamEvent')

export type ResponseEvent = z.infer<typeof responseEvent>

/** An event before it has its number. */
type Unnumbered<Event> = Event extends ResponseEvent ? Omit<Event, 'sequence_number'> : never
type NewEvent = Unnumbered<ResponseEvent>

const seconds = (): number => Math.floor(Date.now() / 1000)

/** The response before anything is generated. */
export function newResponse(body: ResponseBody, model: string): ResponseObject {
  return {
    id: answerId('resp_'),
    object: 'response',
    created_at: seconds(),
    completed_at: null,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    metadata: body.metadata ?? {},
    model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    service_tier: 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? null,
    text: { format: body.text?.format ?? { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: (body.tools ?? []).flatMap(tool =>
      tool.type === 'function' ? [{ ...tool, strict: tool.strict ?? true }] : []
    ),
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? null,
    truncation: body.truncation ?? 'disabled',
    usage: null,
    user: body.user ?? null
  }
}

const toUsage = ({ promptTokens, completionTokens, reasoningTokens }: TokenUsage): ResponseObject['usage'] => ({
  input_tokens: promptTokens,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: completionTokens,
  output_tokens_details: { reasoning_tokens: reasoningTokens },
  total_tokens: promptTokens + completionTokens
})

type Message = Extract<OutputItem, { type: 'message' }>
type Call = Extract<OutputItem, { type: 'function_call' }>
type Reasoning = Extract<OutputItem, { type: 'reasoning' }>

const textPart = (text: string, logprobs: readonly TokenLogprob[]): Message['content'][number] => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [...logprobs]
})

/** Builds a response of the events of a chat. One item is open at a time. */
export class ResponseBuilder {
  readonly #start: ResponseObject
  readonly #output: OutputItem[] = []
  #isOpen = false
  #next = 0
  #logprobs: TokenLogprob[] = []
  #isCutOff = false
  #usage: ResponseObject['usage'] = null

  constructor(start: ResponseObject) {
    this.#start = start
  }

  /** The response as far as it has come. */
  get response(): ResponseObject {
    return { ...this.#start, output: structuredClone(this.#output), usage: this.#usage }
  }

  /** The events that begin every stream. */
  *begin(): Generator<ResponseEvent> {
    yield this.#number({ type: 'response.created', response: this.response })
    yield this.#number({ type: 'response.in_progress', response: this.response })
  }

  *take(event: ChatEvent): Generator<ResponseEvent> {
    for (const one of this.#events(event)) yield this.#number(one)
  }

  /** The events that end the response, once all events have been taken. */
  *end(): Generator<ResponseEvent> {
    if (this.#output.length === 0) for (const event of this.#openMessage()) yield this.#number(event)
    for (const event of this.#close(this.#isCutOff ? 'incomplete' : 'completed')) yield this.#number(event)
    const status = this.#isCutOff ? ('incomplete' as const) : ('completed' as const)
    const response: ResponseObject = {
      ...this.response,
      status,
      completed_at: this.#isCutOff ? null : seconds(),
      incomplete_details: this.#isCutOff ? { reason: 'max_output_tokens' } : null
    }
    yield this.#number({ type: `response.${status}`, response })
  }

  /** How an error is told when the answer has begun: Python's client looks for `error`, others for the fields beside it. */
  fail({ message, type, code, param }: ApiError): ResponseEvent {
    return this.#number({ type: 'error', message, code, param, error: { message, type, code, param } })
  }

  #number(event: NewEvent): ResponseEvent {
    return { ...event, sequence_number: this.#next++ } as ResponseEvent
  }

  /** The item that is open, and where; null where none of this type is. */
  #open<Type extends OutputItem['type']>(type: Type): Extract<OutputItem, { type: Type }> | null {
    const item = this.#output.at(-1)
    return this.#isOpen && item?.type === type ? (item as Extract<OutputItem, { type: Type }>) : null
  }

  get #place(): { readonly item_id: string; readonly output_index: number } {
    return { item_id: this.#output.at(-1)!.id, output_index: this.#output.length - 1 }
  }

  *#events(event: ChatEvent): Generator<NewEvent> {
    switch (event.type) {
      case 'reasoning': {
        if (event.text === '') return
        if (this.#open('reasoning') === null) yield* this.#openReasoning()
        this.#open('reasoning')!.content[0]!.text += event.text
        yield { type: 'response.reasoning_text.delta', ...this.#place, content_index: 0, delta: event.text }
        return
      }
      case 'content': {
        const logprobs = toLogprobs(event.logprobs)
        if (event.text === '' && logprobs.length === 0) return
        if (this.#open('message') === null) yield* this.#openMessage()
        this.#open('message')!.content[0]!.text += event.text
        this.#logprobs.push(...logprobs)
        yield { type: 'response.output_text.delta', ...this.#place, content_index: 0, delta: event.text, logprobs }
        return
      }
      case 'tool_call': {
        const { id, name } = event
        yield* this.#add({
          type: 'function_call',
          id: answerId('fc_'),
          call_id: id,
          name,
          arguments: '',
          status: 'in_progress'
        })
        return
      }
      case 'tool_arguments': {
        if (event.text === '') return
        this.#open('function_call')!.arguments += event.text
        yield { type: 'response.function_call_arguments.delta', ...this.#place, delta: event.text }
        return
      }
      case 'finish':
        this.#isCutOff = event.reason === 'length'
        return
      case 'usage':
        this.#usage = toUsage(event.usage)
    }
  }

  *#add(item: OutputItem): Generator<NewEvent> {
    yield* this.#close('completed')
    this.#output.push(item)
    this.#isOpen = true
    yield { type: 'response.output_item.added', output_index: this.#output.length - 1, item: structuredClone(item) }
  }

  *#openMessage(): Generator<NewEvent> {
    const item: Message = {
      type: 'message',
      id: answerId('msg_'),
      role: 'assistant',
      status: 'in_progress',
      content: []
    }
    yield* this.#add(item)
    item.content.push(textPart('', []))
    this.#logprobs = []
    yield { type: 'response.content_part.added', ...this.#place, content_index: 0, part: textPart('', []) }
  }

  *#openReasoning(): Generator<NewEvent> {
    const item: Reasoning = {
      type: 'reasoning',
      id: answerId('rs_'),
      summary: [],
      content: [],
      encrypted_content: null,
      status: 'in_progress'
    }
    yield* this.#add(item)
    const part = { type: 'reasoning_text', text: '' } as const
    item.content.push({ ...part })
    yield { type: 'response.content_part.added', ...this.#place, content_index: 0, part }
  }

  *#close(status: 'completed' | 'incomplete'): Generator<NewEvent> {
    if (!this.#isOpen) return
    const item = this.#output.at(-1)!
    item.status = status
    const at = { ...this.#place, content_index: 0 } as const
    if (item.type === 'message') {
      const { text } = item.content[0]!
      const logprobs = this.#logprobs
      const part = textPart(text, logprobs)
      item.content[0] = part
      yield { type: 'response.output_text.done', ...at, text, logprobs }
      yield { type: 'response.content_part.done', ...at, part }
    } else if (item.type === 'reasoning') {
      const [part] = item.content
      yield { type: 'response.reasoning_text.done', ...at, text: part!.text }
      yield { type: 'response.content_part.done', ...at, part: { ...part! } }
    } else {
      const { name, arguments: text }: Call = item
      yield { type: 'response.function_call_arguments.done', ...this.#place, name, arguments: text }
    }
    this.#isOpen = false
    yield { type: 'response.output_item.done', output_index: this.#output.length - 1, item: structuredClone(item) }
  }
}

/** All events of a response. */
export async function* toResponseEvents(
  events: AsyncIterable<ChatEvent>,
  builder: ResponseBuilder
): AsyncGenerator<ResponseEvent> {
  yield* builder.begin()
  for await (const event of events) yield* builder.take(event)
  yield* builder.end()
}

export const toSseMessage = (event: ResponseEvent): SSEMessage => ({ event: event.type, data: JSON.stringify(event) })
