// The events of a chat as Anthropic's stream, and the stream as one message. Knows no HTTP.
import { randomBytes } from 'node:crypto'
import type { ChatEvent, TokenUsage } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import type { AnswerBlock, AnswerMessage, MessagesBody } from './schema.ts'

type Delta =
  | { readonly type: 'text_delta'; readonly text: string }
  | { readonly type: 'thinking_delta'; readonly thinking: string }
  | { readonly type: 'signature_delta'; readonly signature: string }
  | { readonly type: 'input_json_delta'; readonly partial_json: string }

/** Events of a stream, by Anthropic's names. */
export type StreamEvent =
  | { readonly type: 'message_start'; readonly message: AnswerMessage }
  | { readonly type: 'content_block_start'; readonly index: number; readonly content_block: AnswerBlock }
  | { readonly type: 'ping' }
  | { readonly type: 'content_block_delta'; readonly index: number; readonly delta: Delta }
  | { readonly type: 'content_block_stop'; readonly index: number }
  | {
      readonly type: 'message_delta'
      readonly delta: Pick<AnswerMessage, 'stop_reason' | 'stop_sequence' | 'stop_details' | 'container'>
      readonly usage: Omit<AnswerMessage['usage'], 'cache_creation' | 'inference_geo' | 'service_tier' | 'speed'>
    }
  | { readonly type: 'message_stop' }

function usageOf({ promptTokens, completionTokens, reasoningTokens }: TokenUsage): AnswerMessage['usage'] {
  return {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    cache_creation: null,
    cache_creation_input_tokens: null,
    cache_read_input_tokens: null,
    inference_geo: null,
    output_tokens_details: { thinking_tokens: reasoningTokens },
    server_tool_use: null,
    service_tier: 'standard',
    speed: null
  }
}

const emptyBlock = {
  text: (): AnswerBlock => ({ type: 'text', text: '', citations: null }),
  thinking: (): AnswerBlock => ({ type: 'thinking', thinking: '', signature: '' })
}

type Finish = Extract<ChatEvent, { type: 'finish' }>

function stopReason({ reason, stopText }: Finish, asked: number, given: number): AnswerMessage['stop_reason'] {
  if (reason === 'tool_calls') return 'tool_use'
  if (reason === 'length') return given < asked ? 'model_context_window_exceeded' : 'max_tokens'
  return stopText === undefined ? 'end_turn' : 'stop_sequence'
}

/** The stream of an answer: one block at a time, each with its number. */
export async function* toStream(
  events: AsyncIterable<ChatEvent>,
  { model, max_tokens: asked, thinking }: Pick<MessagesBody, 'model' | 'max_tokens' | 'thinking'>
): AsyncGenerator<StreamEvent> {
  const hidesThoughts = thinking !== undefined && 'display' in thinking && thinking.display === 'omitted'
  let index = -1
  let open: AnswerBlock['type'] | null = null
  let finish: Finish | null = null

  function* close(): Generator<StreamEvent> {
    if (open === null) return
    if (open === 'thinking') {
      yield { type: 'content_block_delta', index, delta: { type: 'signature_delta', signature: '' } }
    }
    open = null
    yield { type: 'content_block_stop', index }
  }
  function* begin(block: AnswerBlock): Generator<StreamEvent> {
    yield* close()
    index += 1
    open = block.type
    yield { type: 'content_block_start', index, content_block: block }
    if (index === 0) yield { type: 'ping' }
  }

  for await (const event of events) {
    switch (event.type) {
      case 'start': {
        const usage = usageOf({ promptTokens: event.promptTokens, completionTokens: 0, reasoningTokens: 0 })
        const message: AnswerMessage = {
          id: `msg_${randomBytes(12).toString('hex')}`,
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          stop_details: null,
          container: null,
          diagnostics: null,
          usage
        }
        yield { type: 'message_start', message }
        break
      }
      case 'content':
        if (event.text === '') break
        if (open !== 'text') yield* begin(emptyBlock.text())
        yield { type: 'content_block_delta', index, delta: { type: 'text_delta', text: event.text } }
        break
      case 'reasoning':
        if (event.text === '') break
        if (open !== 'thinking') yield* begin(emptyBlock.thinking())
        if (hidesThoughts) break
        yield { type: 'content_block_delta', index, delta: { type: 'thinking_delta', thinking: event.text } }
        break
      case 'tool_call':
        yield* begin({ type: 'tool_use', id: event.id, name: event.name, input: {}, caller: { type: 'direct' } })
        break
      case 'tool_arguments':
        yield { type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: event.text } }
        break
      case 'finish':
        finish = event
        break
      case 'usage': {
        // an answer without any text has an empty block, as Anthropic's has
        if (index === -1) yield* begin(emptyBlock.text())
        yield* close()
        const { cache_creation, inference_geo, service_tier, speed, ...usage } = usageOf(event.usage)
        const reason = finish && stopReason(finish, asked, usage.output_tokens)
        const stop_sequence = (reason === 'stop_sequence' && finish?.stopText) || null
        const delta = { stop_reason: reason, stop_sequence, stop_details: null, container: null }
        yield { type: 'message_delta', delta, usage }
        yield { type: 'message_stop' }
      }
    }
  }
}

/** Arguments of a call. Throws ApiError 400 where an answer that ended early left half of them. */
function parseInput(json: string): Record<string, unknown> {
  if (json === '') return {}
  try {
    return JSON.parse(json) as Record<string, unknown>
  } catch (cause) {
    throw Object.assign(
      invalid('max_tokens: the answer ended within the arguments of a tool: give it more', 'max_tokens'),
      {
        cause
      }
    )
  }
}

/** The message that a stream tells, as a client puts it together. */
export async function toMessage(stream: AsyncIterable<StreamEvent>): Promise<AnswerMessage> {
  let message: AnswerMessage | null = null
  const blocks: { block: AnswerBlock; json: string }[] = []
  for await (const event of stream) {
    if (event.type === 'message_start') message = event.message
    else if (event.type === 'content_block_start') blocks.push({ block: event.content_block, json: '' })
    else if (event.type === 'message_delta') {
      message = { ...message!, ...event.delta, usage: { ...message!.usage, ...event.usage } }
    } else if (event.type === 'content_block_delta') {
      const last = blocks.at(-1)!
      const { block } = last
      const { delta } = event
      if (delta.type === 'input_json_delta') last.json += delta.partial_json
      else if (delta.type === 'text_delta' && block.type === 'text') block.text += delta.text
      else if (delta.type === 'thinking_delta' && block.type === 'thinking') block.thinking += delta.thinking
    }
  }
  const content = blocks.map(({ block, json }) =>
    block.type === 'tool_use' ? { ...block, input: parseInput(json) } : block
  )
  return { ...message!, content }
}
