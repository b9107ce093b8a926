// Bodies of OpenAI's requests as what the gateway's chat is asked. No swarm.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ChatRequest } from '../../../gateway/chat/request.ts'
import { ApiError } from '../../../gateway/errors.ts'
import type { ServedModel } from '../../../gateway/models/served-model.ts'
import { chatBody, toChatRequest } from '../../../gateway/openai/chat-request.ts'
import { toStoredItems } from '../../../gateway/openai/responses/items.ts'
import { responseBody, toResponseRequest } from '../../../gateway/openai/responses/request.ts'
import { chatTemplate } from '../../../testing/gateway.ts'

/** What the mapping reads of a model: its name and its template. */
const modelWith = (source: string): ServedModel =>
  ({ id: 'tiny', template: { ...chatTemplate, source } }) as unknown as ServedModel

const plain = modelWith(chatTemplate.source)
const thinking = modelWith(`${chatTemplate.source}{% if enable_thinking %}{% endif %}`)
const graded = modelWith(`${chatTemplate.source}{{ reasoning_effort }}{# developer #}`)

const { signal } = new AbortController()
const user = { role: 'user', content: 'Hello' }

function chat(fields: object, model = plain): ChatRequest {
  return toChatRequest(chatBody.parse({ model: 'tiny', messages: [user], ...fields }), model, signal)
}

function response(fields: object, model = plain): ChatRequest {
  const body = responseBody.parse({ model: 'tiny', input: 'Hello', ...fields })
  return toResponseRequest(
    body,
    toStoredItems(body.input, () => null),
    { model, signal }
  )
}

/** The error's field, and what it says. */
function refusal(run: () => unknown): readonly [string | null, string] {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ApiError && error.status === 400, String(error))
    return [error.param, error.message]
  }
  return assert.fail('expected an error')
}

const call = (text: string) => ({
  id: 'call_1',
  type: 'function',
  function: { name: 'weather', arguments: text }
})
const weather = { name: 'weather', description: 'Now', parameters: { type: 'object' }, strict: true }
const time = { name: 'time' }
const toolsOf = (...functions: readonly object[]) => functions.map(one => ({ type: 'function', function: one }))

describe('chat completions', () => {
  it('become messages as templates read them', () => {
    const messages = [
      {
        role: 'developer',
        content: [
          { type: 'text', text: 'One' },
          { type: 'text', text: 'two' }
        ]
      },
      { role: 'user', content: 'Weather?', name: 'ann' },
      { role: 'assistant', content: null, reasoning_content: 'I ask.', tool_calls: [call('{"city": "Bern"}')] },
      { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
      { role: 'assistant', content: '', refusal: 'No.', tool_calls: [] }
    ]
    assert.deepEqual(chat({ messages }).messages, [
      { role: 'system', content: 'One\ntwo' },
      { role: 'user', content: 'Weather?', name: 'ann' },
      {
        role: 'assistant',
        content: '',
        reasoning_content: 'I ask.',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: { city: 'Bern' } } }]
      },
      { role: 'tool', content: 'sunny', tool_call_id: 'call_1', name: 'weather' },
      { role: 'assistant', content: 'No.' }
    ])
    assert.equal(chat({ messages: [messages[0], user] }, graded).messages[0]?.role, 'developer')
  })

  it('keep arguments that are no JSON object as the model wrote them', () => {
    for (const [text, expected] of [
      ['', {}],
      ['{"a": 1}', { a: 1 }],
      ['{"a": ', '{"a": '],
      ['[1]', '[1]'],
      ['null', 'null']
    ]) {
      const { messages } = chat({ messages: [user, { role: 'assistant', tool_calls: [call(text as string)] }] })
      const [made] = messages[1]!.tool_calls as { function: { arguments: unknown } }[]
      assert.deepEqual(made!.function.arguments, expected, text as string)
    }
  })

  it('choose how tokens are sampled', () => {
    const fields = {
      ...{ temperature: 0.5, top_p: 0.9, top_k: -1, min_p: 0.1, repetition_penalty: 1.1, presence_penalty: 1 },
      ...{ frequency_penalty: -1, logit_bias: { 7: -100 }, seed: -1, stop: 'end', max_completion_tokens: 9 }
    }
    assert.deepEqual(chat(fields).sampling, {
      ...{ temperature: 0.5, topP: 0.9, topK: 0, minP: 0.1, repetitionPenalty: 1.1, presencePenalty: 1 },
      ...{ frequencyPenalty: -1, logitBias: new Map([[7, -100]]), seed: Number.MAX_SAFE_INTEGER, stop: ['end'] },
      maxTokens: 9
    })
    const undefinedOnly = Object.values(chat({ temperature: null, seed: null, stop: null, logit_bias: null }).sampling)
    assert.ok(undefinedOnly.every(value => value === undefined))
    assert.equal(chat({ max_tokens: 3, max_completion_tokens: 3 }).sampling.maxTokens, 3)
    assert.equal(refusal(() => chat({ max_tokens: 3, max_completion_tokens: 4 }))[0], 'max_tokens')
    assert.equal(chat({ logprobs: true }).topLogprobs, 0)
    assert.equal(chat({ logprobs: true, top_logprobs: 5 }).topLogprobs, 5)
    assert.equal(refusal(() => chat({ top_logprobs: 5 }))[0], 'top_logprobs')
    assert.equal(refusal(() => chat({ stream_options: { include_usage: true } }))[0], 'stream_options')
  })

  it('give the model its tools, and those alone that are allowed', () => {
    const tools = toolsOf(weather, time)
    const given = [weather, { name: 'time', description: undefined, parameters: undefined, strict: undefined }]
    const asked = (tool_choice?: unknown) => {
      const { tools: own, toolChoice } = chat({ tools, tool_choice })
      return [own, toolChoice]
    }
    assert.deepEqual(asked(), [given, undefined])
    assert.deepEqual(asked('required'), [given, 'required'])
    assert.deepEqual(asked({ type: 'function', function: { name: 'time' } }), [given, { name: 'time' }])
    const named = { tools, tool_choice: { type: 'function', function: { name: 'time' } }, parallel_tool_calls: true }
    assert.equal(chat(named).parallelToolCalls, false)
    assert.equal(chat({ tools, parallel_tool_calls: false }).parallelToolCalls, false)
    const allowed = (mode: string, ...names: string[]) => ({
      type: 'allowed_tools',
      allowed_tools: { mode, tools: names.map(name => ({ type: 'function', function: { name } })) }
    })
    assert.deepEqual(asked(allowed('required', 'weather')), [[weather], 'required'])
    assert.equal(refusal(() => asked(allowed('auto', 'tide')))[1].includes("found 'tide'"), true)
    assert.equal(refusal(() => asked({ type: 'function', function: { name: 'tide' } }))[0], 'tool_choice')
    assert.deepEqual(
      refusal(() => chat({ tools: toolsOf(time, time) })),
      ['tools', "tools: two are called 'time'; names must differ"]
    )
  })

  it('tell the template how much to think, and say where it cannot', () => {
    const variables = (fields: object, model: ServedModel) => chat(fields, model).templateVariables
    assert.deepEqual(variables({ reasoning_effort: 'none' }, thinking), { enable_thinking: false })
    assert.deepEqual(variables({ reasoning_effort: 'low' }, thinking), { enable_thinking: true })
    assert.deepEqual(variables({ reasoning_effort: 'low' }, graded), { reasoning_effort: 'low' })
    assert.deepEqual(variables({ reasoning_effort: 'medium' }, plain), {})
    assert.equal(refusal(() => chat({ reasoning_effort: 'high' }))[0], 'reasoning_effort')
    const kwargs = { enable_thinking: false }
    assert.deepEqual(variables({ reasoning_effort: 'low', chat_template_kwargs: kwargs }, thinking), kwargs)
    assert.equal(refusal(() => chat({ chat_template_kwargs: { messages: [] } }))[0], 'chat_template_kwargs.messages')
  })

  it('ask for a form of the answer', () => {
    const schema = { type: 'object' }
    const format = (response_format: object) => chat({ response_format }).format
    assert.deepEqual(format({ type: 'json_object' }), { type: 'json_object' })
    assert.deepEqual(format({ type: 'json_schema', json_schema: { name: 'a', schema, strict: true } }), {
      type: 'json_schema',
      schema,
      strict: true
    })
  })
})

describe('responses', () => {
  it('become the same conversation', () => {
    const input = [
      { role: 'user', content: 'Weather?' },
      { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'I ask.' }] },
      { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city": "Bern"}' },
      { type: 'function_call', call_id: 'call_2', name: 'time', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: [{ type: 'input_text', text: 'sunny' }] },
      { type: 'function_call_output', call_id: 'call_2', output: 'noon' },
      {
        type: 'message',
        role: 'assistant',
        id: 'msg_1',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Sunny at noon.', annotations: [], logprobs: [] }]
      },
      { role: 'developer', content: 'Be short.' },
      { role: 'user', content: [{ type: 'input_text', text: 'Thanks' }] }
    ]
    const made = (id: string, name: string, args: object) => ({
      id,
      type: 'function',
      function: { name, arguments: args }
    })
    assert.deepEqual(response({ input, instructions: 'Help.' }).messages, [
      { role: 'system', content: 'Help.' },
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: '',
        reasoning_content: 'I ask.',
        tool_calls: [made('call_1', 'weather', { city: 'Bern' }), made('call_2', 'time', {})]
      },
      { role: 'tool', content: 'sunny', tool_call_id: 'call_1', name: 'weather' },
      { role: 'tool', content: 'noon', tool_call_id: 'call_2', name: 'time' },
      { role: 'assistant', content: 'Sunny at noon.' },
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Thanks' }
    ])
  })

  it('constrain the arguments of functions unless told otherwise', () => {
    const strict = (value?: boolean | null) =>
      response({ tools: [{ type: 'function', name: 'time', parameters: {}, strict: value }] }).tools?.[0]?.strict
    assert.deepEqual([strict(), strict(null), strict(false)], [true, true, false])
  })

  it('take effort, form and truncation', () => {
    const schema = { type: 'object' }
    const made = response(
      {
        reasoning: { effort: 'low', summary: 'auto' },
        text: { format: { type: 'json_schema', name: 'a', schema } },
        truncation: 'auto',
        max_output_tokens: 5
      },
      thinking
    )
    assert.deepEqual(made.templateVariables, { enable_thinking: true })
    assert.deepEqual(made.format, { type: 'json_schema', schema, strict: false })
    assert.equal(made.truncation, 'auto')
    assert.equal(made.sampling.maxTokens, 5)
    assert.equal(refusal(() => response({ reasoning: { effort: 'high' } }))[0], 'reasoning.effort')
    assert.equal(refusal(() => response({ input: [] }))[0], 'input')
  })
})
