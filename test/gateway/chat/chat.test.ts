// Chats over a swarm: prompts by the template with tools, and answers that are forced to be thoughts and calls.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ChatTemplate, type GenerationOptions, type LogitsProcessor, renderChat } from '../../../client/index.ts'
import { answerChat } from '../../../gateway/chat/chat.ts'
import { fittingPrompt, promptOf } from '../../../gateway/chat/prompt.ts'
import type { ChatEvent, ChatRequest, Tool } from '../../../gateway/chat/request.ts'
import type { ServedModel } from '../../../gateway/models/served-model.ts'
import { chatTemplate, served } from '../../../testing/gateway.ts'
import { collectAll } from '../../../testing/references.ts'
import { until, useSwarm } from '../../../testing/swarm.ts'

/** ChatML with tools as Qwen 2.5 writes them, and thoughts that are written only of the last turn. */
const toolTemplate: ChatTemplate = {
  ...chatTemplate,
  source: `{% if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content or '' }}{% for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking %}<think>
{% endif %}{% endif %}`
}

const weather: Tool = {
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
}
const now: Tool = { name: 'now', description: 'The time' }

describe('chats', () => {
  const used = useSwarm([[0, 12]])
  const signal = new AbortController().signal

  /**
   * The model, whose answers begin with this text whatever it is asked: all other tokens are forbidden. Then they end, or with `goesOn` they
   * are what the model and the request make of them.
   */
  function saying(text: string, goesOn = false): ServedModel {
    const model = served(used.model, { template: toolTemplate })
    const ids = used.model.tokenizer.encode(text, { addSpecialTokens: false })
    const end = used.model.config.eosTokenIds[0]!
    const generateStream = (input: { inputIds: number[][] }, options: GenerationOptions) => {
      const begin = input.inputIds[0]!.length
      const only: LogitsProcessor = (scores, row) => {
        const wanted = ids[row.length - begin] ?? end
        if (goesOn && row.length - begin >= ids.length) return
        for (let id = 0; id < scores.length; id++) if (id !== wanted) scores[id] = -Infinity
      }
      const { logitsProcessors: own = [] } = options
      const logitsProcessors = (row: number) => [...(typeof own === 'function' ? own(row) : own), only]
      return used.model.generateStream(input, { ...options, logitsProcessors })
    }
    const forced = new Proxy(used.model, {
      get(target, key) {
        if (key === 'generateStream') return generateStream
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
    return { ...model, model: forced }
  }

  const requestOf = (init: Partial<ChatRequest>): ChatRequest => ({
    model: served(used.model, { template: toolTemplate }),
    messages: [{ role: 'user', content: 'It was a dark' }],
    sampling: { temperature: 0, maxTokens: 200 },
    signal,
    ...init
  })
  const answer = (init: Partial<ChatRequest>): Promise<ChatEvent[]> => collectAll(answerChat(requestOf(init)))
  const told = (events: readonly ChatEvent[]): readonly ChatEvent[] =>
    events.filter(({ type }) => type !== 'start' && type !== 'usage')

  it('gives tools to the template as OpenAI describes them', () => {
    const text = used.model.tokenizer.decode(promptOf(requestOf({ tools: [weather, now] })))
    const expected = renderChat(toolTemplate, [{ role: 'user', content: 'It was a dark' }], {
      addGenerationPrompt: true,
      variables: {
        tools: [
          {
            type: 'function',
            function: {
              name: 'get_weather',
              description: '',
              parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
            }
          },
          {
            type: 'function',
            function: { name: 'now', description: 'The time', parameters: { type: 'object', properties: {} } }
          }
        ]
      }
    })
    assert.equal(text, expected)
    const none = promptOf(requestOf({ tools: [weather], toolChoice: 'none' }))
    assert.deepEqual(none, promptOf(requestOf({})))
  })

  it('refuses tools that the model cannot be asked for', async () => {
    const plain = served(used.model)
    await assert.rejects(answer({ model: plain, tools: [now] }), { code: 'tools_not_supported', status: 400 })
    await assert.rejects(
      answer({ tools: [now], toolChoice: { name: 'later' } }),
      /one of the tools \(now\), found 'later'/
    )
    await assert.rejects(answer({ toolChoice: 'required' }), /expected tools/)
    const few = { temperature: 0, maxTokens: 2 }
    const none = await answer({ model: plain, tools: [now], toolChoice: 'none', sampling: few })
    assert.equal(none.at(-1)!.type, 'usage')
  })

  it('tells thoughts, text and calls apart, with scores of the text alone', async () => {
    const call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    const model = saying(`<think>\nhm\n</think>\n\nI look.\n${call}\n${call}`)
    const events = await answer({ model, tools: [weather], topLogprobs: 0 })
    const texts = (type: string) =>
      events.map(event => (event.type === type && 'text' in event ? event.text : '')).join('')
    assert.equal(texts('reasoning'), 'hm')
    assert.equal(texts('content'), 'I look.')
    const scores = events.flatMap(event => (event.type === 'content' ? event.logprobs : []))
    assert.equal(
      Buffer.from(scores.flatMap(({ bytes }) => bytes))
        .toString()
        .trim(),
      'I look.'
    )
    const calls = events.filter(event => event.type === 'tool_call')
    assert.deepEqual(
      calls.map(({ index, name }) => [index, name]),
      [
        [0, 'get_weather'],
        [1, 'get_weather']
      ]
    )
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2)
    assert.match(calls[0]!.id, /^call_\w{24}$/)
    assert.deepEqual(
      [0, 1].map(index =>
        events.map(event => (event.type === 'tool_arguments' && event.index === index ? event.text : '')).join('')
      ),
      ['{"city": "Rome"}', '{"city": "Rome"}']
    )
    assert.deepEqual(told(events).at(-1), { type: 'finish', choice: 0, reason: 'tool_calls' })
    const { usage } = events.at(-1) as Extract<ChatEvent, { type: 'usage' }>
    assert.ok(usage.reasoningTokens > 1 && usage.reasoningTokens < usage.completionTokens / 2)
  })

  it('ends after the first call where only one is allowed, and frees the session', async () => {
    const call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    const events = await answer({ model: saying(`${call}\n${call}`), tools: [now], parallelToolCalls: false })
    assert.deepEqual(
      told(events).map(({ type }) => type),
      ['tool_call', 'tool_arguments', 'finish']
    )
    const { usage } = events.at(-1) as Extract<ChatEvent, { type: 'usage' }>
    assert.ok(usage.completionTokens < used.model.tokenizer.encode(`${call}\n${call}`).length)
    await until(() => used.swarm.servers[0]!.sessions === 0)
  })

  it('writes calls as text where the request has no tools, and where the answer breaks off', async () => {
    const call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    const text = (events: readonly ChatEvent[]) =>
      events.map(event => (event.type === 'content' ? event.text : '')).join('')
    assert.equal(text(await answer({ model: saying(call) })), call)
    const limited = await answer({ model: saying(call), tools: [now], sampling: { temperature: 0, maxTokens: 12 } })
    assert.ok(call.startsWith(text(limited)) && text(limited).startsWith('<tool_call>\n{'))
    assert.deepEqual(told(limited).at(-1), { type: 'finish', choice: 0, reason: 'length' })
  })

  it('takes what the prompt begins as thoughts, and the rest of a message that is continued', async () => {
    const model = saying('hm</think>It is')
    const reasonings = (events: readonly ChatEvent[]) =>
      events.map(event => (event.type === 'reasoning' ? event.text : '')).join('')
    assert.equal(reasonings(await answer({ model, templateVariables: { enable_thinking: true } })), 'hm')
    assert.equal(reasonings(await answer({ model })), '')
    const messages = [
      { role: 'user', content: 'It was a dark' },
      { role: 'assistant', content: '<think>Let me see' }
    ]
    assert.equal(reasonings(await answer({ model, messages, continueLast: true })), 'hm')
  })

  /** Arguments of the calls of a choice, by name. */
  function callsOf(events: readonly ChatEvent[], choice = 0): [name: string, input: unknown][] {
    const calls: [string, string][] = []
    for (const event of events) {
      if (!('choice' in event) || event.choice !== choice) continue
      if (event.type === 'tool_call') calls.push([event.name, ''])
      else if (event.type === 'tool_arguments') calls.at(-1)![1] += event.text
    }
    return calls.map(([name, written]) => [name, JSON.parse(written) as unknown])
  }
  const textOf = (events: readonly ChatEvent[], type: 'content' | 'reasoning' = 'content') =>
    events.map(event => (event.type === type ? event.text : '')).join('')

  const pick: Tool = {
    name: 'pick',
    parameters: {
      type: 'object',
      properties: { fruit: { enum: ['apple', 'pear'] }, count: { type: 'integer', minimum: 1, maximum: 9 } },
      required: ['fruit', 'count'],
      additionalProperties: false
    }
  }

  it('calls a tool where one is required, with valid arguments, whatever the model would say', async () => {
    const sampling = { temperature: 1, seed: 5, maxTokens: 200 }
    const common = { tools: [pick, now], sampling, parallelToolCalls: false }
    const events = await answer({ ...common, toolChoice: 'required', n: 3 })
    assert.equal(textOf(events), '')
    for (const choice of [0, 1, 2]) {
      const [[name, input] = ['', null], ...more] = callsOf(events, choice)
      assert.deepEqual(more, [])
      if (name === 'now') assert.deepEqual(input, {})
      else {
        const { fruit, count, ...rest } = input as { fruit: string; count: number }
        assert.ok(['apple', 'pear'].includes(fruit) && Number.isInteger(count) && count >= 1 && count <= 9)
        assert.deepEqual(rest, {})
      }
    }
    const finishes = events.filter(event => event.type === 'finish')
    assert.deepEqual(new Set(finishes.map(({ reason }) => reason)), new Set(['tool_calls']))
    const named = await answer({ ...common, toolChoice: { name: 'pick' } })
    assert.equal(callsOf(named)[0]![0], 'pick')
  })

  it('holds an answer to a schema, after thoughts that the prompt or the model begins', async () => {
    const format = { type: 'json_schema', schema: pick.parameters, strict: true } as const
    const plain = await answer({ format })
    assert.deepEqual(Object.keys(JSON.parse(textOf(plain)) as object).toSorted(), ['count', 'fruit'])
    const variables = { enable_thinking: true }
    const thought = await answer({ model: saying('It was</think>', true), format, templateVariables: variables })
    assert.equal(textOf(thought, 'reasoning'), 'It was')
    assert.deepEqual(Object.keys(JSON.parse(textOf(thought)) as object).toSorted(), ['count', 'fruit'])
    assert.deepEqual(told(thought).at(-1), { type: 'finish', choice: 0, reason: 'stop' })
    const required = await answer({
      model: saying('It was</think>', true),
      tools: [pick],
      toolChoice: 'required',
      parallelToolCalls: false,
      templateVariables: variables
    })
    assert.equal(textOf(required, 'reasoning'), 'It was')
    assert.equal(callsOf(required)[0]![0], 'pick')
  })

  it('ends thoughts at their limit, with a form after them and without', async () => {
    const sampling = { temperature: 0, maxTokens: 60 }
    const common = { sampling, maxThoughtTokens: 5, templateVariables: { enable_thinking: true } }
    const free = await answer(common)
    const { tokenizer } = used.model
    const unlimited = await answer({ ...common, maxThoughtTokens: undefined })
    assert.equal(textOf(unlimited), '')
    const thoughts = textOf(free, 'reasoning')
    assert.ok(textOf(unlimited, 'reasoning').startsWith(thoughts))
    assert.ok(tokenizer.encode(thoughts).length <= 5)
    assert.ok(textOf(free).length > 0)
    const format = { type: 'json_schema', schema: pick.parameters, strict: true } as const
    const held = await answer({ ...common, format })
    assert.equal(textOf(held, 'reasoning'), thoughts)
    assert.deepEqual(Object.keys(JSON.parse(textOf(held)) as object).toSorted(), ['count', 'fruit'])
    // thoughts that the length of the answer cuts off: no JSON begins before they end
    const cut = await answer({ ...common, format, maxThoughtTokens: undefined })
    assert.equal(textOf(cut), '')
    assert.equal(textOf(cut, 'reasoning'), textOf(unlimited, 'reasoning'))
  })

  it('lets a model speak before calls whose arguments are strict', async () => {
    const strict = { ...pick, strict: true }
    const model = saying('I pick one.\n<tool_call>\n{"name": "', true)
    const events = await answer({ model, tools: [strict], parallelToolCalls: false })
    assert.equal(textOf(events), 'I pick one.')
    assert.equal(callsOf(events)[0]![0], 'pick')
  })

  it('names the stop text that ended a choice', async () => {
    const sampling = { temperature: 0, maxTokens: 50, stop: ['dog'] }
    const events = await answer({ model: saying('a cat, a dog, a cow'), sampling })
    assert.deepEqual(told(events).at(-1), { type: 'finish', choice: 0, reason: 'stop', stopText: 'dog' })
  })

  it('gives results the name of their tool, and Mistral ids of nine letters', () => {
    const seen: ChatTemplate = {
      ...chatTemplate,
      source:
        "{% for m in messages %}{% if m.role == 'tool' %}[{{ m.name }} {{ m.tool_call_id }}{% if m.tool_call_id | length != 9 %}!{% endif %}]" +
        '{% endif %}{% for c in m.tool_calls or [] %}({{ c.id }}){% endfor %}{% endfor %}'
    }
    const messages = [
      { role: 'user', content: 'a' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1234567890', type: 'function', function: { name: 'now', arguments: {} } }]
      },
      { role: 'tool', tool_call_id: 'call_1234567890', content: '12' }
    ]
    const model = served(used.model, { template: seen })
    assert.match(
      used.model.tokenizer.decode(promptOf(requestOf({ model, messages }))),
      /^\(([A-Za-z0-9]{9})\)\[now \1\]$/
    )
  })

  it('leaves out the oldest turns, whole, as few as it must, and says how many messages', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'now', arguments: {} } }
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'first one first one' },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: '12' },
      { role: 'assistant', content: 'twelve' },
      { role: 'user', content: 'second one' },
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: 'third' }
    ]
    const lengthOf = (kept: typeof messages) => promptOf(requestOf({ messages: kept })).length
    const [system, ...rest] = messages as [(typeof messages)[0], ...typeof messages]
    const withoutFirst = [system, ...rest.slice(4)]
    const sampling = { temperature: 0, maxTokens: 4 }
    const fit = (contextLength: number) => {
      const model = served(used.model, { template: toolTemplate, contextLength })
      return fittingPrompt(requestOf({ model, messages, sampling, truncation: 'auto' }))
    }
    assert.equal(fit(lengthOf(messages) + 4).droppedMessages, 0)
    assert.deepEqual(fit(lengthOf(messages) + 3), {
      ids: promptOf(requestOf({ messages: withoutFirst })),
      thoughts: null,
      mayThink: true,
      droppedMessages: 4
    })
    assert.equal(fit(lengthOf(withoutFirst) + 4).droppedMessages, 4)
    assert.equal(fit(lengthOf(withoutFirst) + 3).droppedMessages, 6)
    // what is left is too long as well: an error with both numbers
    const model = served(used.model, { template: toolTemplate, contextLength: 12 })
    await assert.rejects(answer({ model, messages, sampling, truncation: 'auto' }), {
      code: 'context_length_exceeded',
      message: /context of 12 tokens.*\d+ of the prompt|context of 12 tokens, the prompt has \d+/
    })
    await assert.rejects(answer({ model, messages, sampling }), { code: 'context_length_exceeded' })
  })

  it('begins the prompt of the next turn with the tokens of this one and of its answer', async () => {
    const messages = [{ role: 'user', content: 'It was a dark' }]
    const first = promptOf(requestOf({ messages }))
    const rows = await used.model.generate({ inputIds: [[...first]] }, { maxNewTokens: 24, doSample: false })
    const events = await answer({ messages, sampling: { temperature: 0, maxTokens: 24 } })
    const content = events.map(event => (event.type === 'content' ? event.text : '')).join('')
    assert.equal(content, used.model.tokenizer.decode(rows[0]!.slice(first.length), { skipSpecialTokens: true }))
    const next = promptOf(
      requestOf({ messages: [...messages, { role: 'assistant', content }, { role: 'user', content: 'And then?' }] })
    )
    assert.deepEqual(next.slice(0, rows[0]!.length), rows[0])
  })
})
