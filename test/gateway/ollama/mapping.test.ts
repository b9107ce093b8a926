// Requests and answers of Ollama's API as the gateway's own: tools, thoughts, times.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatEvent } from '../../../gateway/chat/request.ts'
import type { ServedModel } from '../../../gateway/models/served-model.ts'
import { joinPieces, toChatLine, toPieces } from '../../../gateway/ollama/answer.ts'
import { chatRequestOf } from '../../../gateway/ollama/request.ts'
import { ollamaChatBody } from '../../../gateway/ollama/schema.ts'
import { collectAll } from '../../../testing/references.ts'

const model = { id: 'm', contextLength: 100, template: { source: 'enable_thinking reasoning_effort' } } as ServedModel
const requestOf = (body: object) =>
  chatRequestOf(ollamaChatBody.parse({ model: 'm', ...body }), model, new AbortController().signal)
const user = { role: 'user', content: 'Weather?' }

test('calls and results belong together, with ids or without', () => {
  const call = (name: string, id?: string) => ({ ...(id && { id }), function: { name, arguments: { city: name } } })
  const { messages } = requestOf({
    messages: [
      user,
      { role: 'assistant', thinking: 'I ask.', tool_calls: [call('a'), call('b'), call('c', 'own')] },
      { role: 'tool', tool_name: 'b', content: 'B' },
      { role: 'tool', content: 'A' },
      { role: 'tool', tool_call_id: 'own', content: 'C' }
    ]
  })
  const [, asked, ...results] = messages
  const ids = (asked!.tool_calls as { id: string }[]).map(({ id }) => id)
  assert.equal(new Set(ids).size, 3)
  assert.equal(asked!.reasoning_content, 'I ask.')
  assert.deepEqual(results, [
    { role: 'tool', content: 'B', tool_call_id: ids[1], name: 'b' },
    { role: 'tool', content: 'A', tool_call_id: ids[0], name: 'a' },
    { role: 'tool', content: 'C', tool_call_id: 'own', name: 'c' }
  ])
  assert.throws(() => requestOf({ messages: [{ ...user, tool_calls: [call('a')] }] }), {
    param: 'messages[0].tool_calls'
  })
})

test('thinking, form, context and length are passed on', () => {
  assert.deepEqual(requestOf({ messages: [user], think: 'high' }).templateVariables, {
    enable_thinking: true,
    reasoning_effort: 'high'
  })
  assert.deepEqual(requestOf({ messages: [user], format: 'json' }).format, { type: 'json_object' })
  assert.equal(requestOf({ messages: [user], truncate: false }).truncation, 'disabled')
  const { sampling, model: within } = requestOf({
    messages: [user],
    options: { num_ctx: 50, num_predict: -1, top_k: -1, seed: -1, repeat_penalty: 1.2, repeat_last_n: -1 }
  })
  assert.equal(within.contextLength, 50)
  assert.deepEqual(
    [sampling.maxTokens, sampling.topK, sampling.seed, sampling.repetitionPenalty],
    [undefined, 0, undefined, 1.2]
  )
})

async function* given(events: readonly ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events
}

test('thoughts, text and calls are lines; the whole answer is one', async () => {
  const events: ChatEvent[] = [
    { type: 'start', promptTokens: 5, droppedMessages: 0 },
    { type: 'reasoning', choice: 0, text: 'Hm', logprobs: [] },
    { type: 'content', choice: 0, text: 'Yes', logprobs: [] },
    { type: 'tool_call', choice: 0, index: 0, id: 'call_1', name: 'weather' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '{"city":' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '"Ulm"}' },
    { type: 'tool_call', choice: 0, index: 1, id: 'call_2', name: 'now' },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
    { type: 'usage', usage: { promptTokens: 5, completionTokens: 9, reasoningTokens: 1 } }
  ]
  const calls = [
    { id: 'call_1', function: { index: 0, name: 'weather', arguments: { city: 'Ulm' } } },
    { id: 'call_2', function: { index: 1, name: 'now', arguments: {} } }
  ]
  const lines = (await collectAll(toPieces(given(events), performance.now()))).map(piece => toChatLine('m', piece))
  assert.deepEqual(
    lines.map(({ message: { role: _, ...message } }) => message),
    [
      { content: '', thinking: 'Hm' },
      { content: 'Yes' },
      { content: '', tool_calls: [calls[0]] },
      { content: '', tool_calls: [calls[1]] },
      { content: '' }
    ]
  )
  const whole = toChatLine('m', await joinPieces(toPieces(given(events), performance.now())))
  assert.deepEqual(whole.message, { role: 'assistant', content: 'Yes', thinking: 'Hm', tool_calls: calls })
  assert.deepEqual([whole.done_reason, whole.prompt_eval_count, whole.eval_count], ['stop', 5, 9])
})
