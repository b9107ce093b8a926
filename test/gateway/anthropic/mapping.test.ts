// Requests and answers of Anthropic's Messages API as the gateway's own: tools, thoughts, reasons of the end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StreamEvent, toMessage, toStream } from '../../../gateway/anthropic/answer.ts'
import { toChat, toPrompt } from '../../../gateway/anthropic/request.ts'
import { countBody, messagesBody } from '../../../gateway/anthropic/schema.ts'
import type { ChatEvent } from '../../../gateway/chat/request.ts'
import type { ServedModel } from '../../../gateway/models/served-model.ts'
import { collectAll } from '../../../testing/references.ts'

const model = {} as ServedModel
const promptOf = (body: object) => toPrompt(countBody.parse({ model: 'm', ...body }), model)
const user = { role: 'user', content: 'Weather in Ulm?' }
const weather = { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }
const usage: ChatEvent = { type: 'usage', usage: { promptTokens: 5, completionTokens: 9, reasoningTokens: 3 } }
const start: ChatEvent = { type: 'start', promptTokens: 5, droppedMessages: 0 }

async function* given(events: readonly ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events
}
const asked = { model: 'm', max_tokens: 100 }
const streamOf = (events: readonly ChatEvent[], body: Parameters<typeof toStream>[1] = asked): Promise<StreamEvent[]> =>
  collectAll(toStream(given([start, ...events, usage]), body))
const messageOf = (events: readonly ChatEvent[], body: Parameters<typeof toStream>[1] = asked) =>
  toMessage(toStream(given([start, ...events, usage]), body))

test('calls of tools and their results become messages as chat templates read them', () => {
  const { messages, tools } = promptOf({
    tools: [{ ...weather, description: 'Tells the weather', strict: true }],
    messages: [
      user,
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'I ask.', signature: '' },
          { type: 'text', text: 'One moment.' },
          { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Ulm' } }
        ]
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'no data' }], is_error: true },
          { type: 'text', text: 'And now?' }
        ]
      }
    ]
  })
  assert.deepEqual(messages, [
    user,
    {
      role: 'assistant',
      content: 'One moment.',
      reasoning_content: 'I ask.',
      tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'weather', arguments: { city: 'Ulm' } } }]
    },
    { role: 'tool', tool_call_id: 'toolu_1', name: 'weather', content: 'Error: no data' },
    { role: 'user', content: 'And now?' }
  ])
  const { input_schema: parameters, name } = weather
  assert.deepEqual(tools, [{ name, description: 'Tells the weather', parameters, strict: true }])
})

test('the choice of tools, thoughts, the form of the answer and sampling are passed on', () => {
  const choose = (tool_choice: object) => promptOf({ messages: [user], tools: [weather], tool_choice })
  assert.equal(choose({ type: 'any' }).toolChoice, 'required')
  assert.equal(choose({ type: 'none' }).toolChoice, 'none')
  assert.deepEqual(choose({ type: 'tool', name: 'weather' }).toolChoice, { name: 'weather' })
  assert.equal(choose({ type: 'auto', disable_parallel_tool_use: true }).parallelToolCalls, false)
  assert.throws(() => choose({ type: 'tool', name: 'other' }), { param: 'tool_choice.name' })
  const thinks = (thinking: object) => promptOf({ messages: [user], thinking }).templateVariables
  assert.deepEqual(thinks({ type: 'enabled', budget_tokens: 1024 }), { enable_thinking: true })
  assert.deepEqual(thinks({ type: 'disabled' }), { enable_thinking: false })
  const schema = { type: 'object' }
  assert.deepEqual(promptOf({ messages: [user], output_config: { format: { type: 'json_schema', schema } } }).format, {
    type: 'json_schema',
    schema,
    strict: true
  })
  const body = { ...asked, messages: [user], top_k: 0, top_p: 0.9, stop_sequences: ['\n'], metadata: { user_id: 'u' } }
  const { sampling } = toChat(messagesBody.parse(body), model, new AbortController().signal)
  assert.deepEqual(sampling, { temperature: undefined, topP: 0.9, topK: 0, stop: ['\n'], maxTokens: 100 })
})

test('blocks stand only where they belong', () => {
  const call = { type: 'tool_use', id: 'a', name: 'b', input: {} }
  assert.throws(() => promptOf({ messages: [{ role: 'user', content: [call] }] }), {
    param: 'messages[0].content[0].type'
  })
  assert.throws(() => promptOf({ messages: [user, { role: 'assistant', content: [call] }] }), {
    param: 'messages[1].content'
  })
  assert.throws(() => promptOf({ messages: [{ role: 'user', content: [] }] }), { param: 'messages[0].content' })
})

test('thoughts, text and calls are blocks with their numbers', async () => {
  const events: ChatEvent[] = [
    { type: 'reasoning', choice: 0, text: 'I ', logprobs: [] },
    { type: 'reasoning', choice: 0, text: 'ask', logprobs: [] },
    { type: 'content', choice: 0, text: 'Yes', logprobs: [] },
    { type: 'tool_call', choice: 0, index: 0, id: 'call_1', name: 'weather' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '{"city":' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '"Ulm"}' },
    { type: 'tool_call', choice: 0, index: 1, id: 'call_2', name: 'now' },
    { type: 'finish', choice: 0, reason: 'tool_calls' }
  ]
  const told = (await streamOf(events)).map(event => {
    if (event.type === 'content_block_start') return `${event.index} ${event.content_block.type}`
    if (event.type === 'content_block_stop') return `${event.index} stop`
    return event.type === 'content_block_delta' ? `${event.index} ${event.delta.type}` : event.type
  })
  assert.deepEqual(told, [
    ...['message_start', '0 thinking', 'ping', '0 thinking_delta', '0 thinking_delta', '0 signature_delta', '0 stop'],
    ...['1 text', '1 text_delta', '1 stop'],
    ...['2 tool_use', '2 input_json_delta', '2 input_json_delta', '2 stop', '3 tool_use', '3 stop'],
    ...['message_delta', 'message_stop']
  ])
  const message = await messageOf(events)
  const caller = { type: 'direct' }
  assert.deepEqual(message.content, [
    { type: 'thinking', thinking: 'I ask', signature: '' },
    { type: 'text', text: 'Yes', citations: null },
    { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Ulm' }, caller },
    { type: 'tool_use', id: 'call_2', name: 'now', input: {}, caller }
  ])
  assert.equal(message.stop_reason, 'tool_use')
  assert.equal(message.usage.output_tokens_details?.thinking_tokens, 3)
  const hidden = await messageOf(events, { ...asked, thinking: { type: 'adaptive', display: 'omitted' } })
  assert.deepEqual(hidden.content[0], { type: 'thinking', thinking: '', signature: '' })
})

test('the reason of the end is told, with the stop sequence', async () => {
  const text: ChatEvent = { type: 'content', choice: 0, text: 'a', logprobs: [] }
  const ended = async (finish: object, max_tokens = 100) => {
    const events = [text, { type: 'finish', choice: 0, ...finish } as ChatEvent]
    const { stop_reason, stop_sequence } = await messageOf(events, { model: 'm', max_tokens })
    return [stop_reason, stop_sequence]
  }
  assert.deepEqual(await ended({ reason: 'stop' }), ['end_turn', null])
  assert.deepEqual(await ended({ reason: 'stop', stopText: '###' }), ['stop_sequence', '###'])
  assert.deepEqual(await ended({ reason: 'length' }, 9), ['max_tokens', null])
  assert.deepEqual(await ended({ reason: 'length' }, 10), ['model_context_window_exceeded', null])
  const half: ChatEvent[] = [
    { type: 'tool_call', choice: 0, index: 0, id: 'call_1', name: 'weather' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '{"ci' },
    { type: 'finish', choice: 0, reason: 'length' }
  ]
  await assert.rejects(messageOf(half), { param: 'max_tokens', status: 400 })
})

test('an answer without text has an empty block', async () => {
  const { content } = await messageOf([{ type: 'finish', choice: 0, reason: 'stop' }])
  assert.deepEqual(content, [{ type: 'text', text: '', citations: null }])
})
