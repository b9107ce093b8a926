// Tools and structured outputs by the helpers of OpenAI's own client, over a real swarm: what the model writes is constrained.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { served, toolTemplate } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { useSwarm } from '../../../testing/swarm.ts'

const city = z.strictObject({ city: z.enum(['Bern', 'Basel']), days: z.int().min(1).max(9) })
const parameters = z.toJSONSchema(city) as Record<string, unknown>
const messages = [{ role: 'user' as const, content: 'How is the weather?' }]
const greedy = { model: 'tiny', temperature: 0, max_tokens: 120 } as const
const story = z.strictObject({ mood: z.enum(['dark', 'bright']), chapters: z.array(z.int().min(1).max(3)).max(2) })

describe('tools and structured outputs', () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [served(used.model, { template: toolTemplate })])

  it('run a function that the model is made to call', async () => {
    const asked: unknown[] = []
    const runner = gateway.client.chat.completions.runTools({
      ...greedy,
      messages,
      tool_choice: { type: 'function', function: { name: 'weather' } },
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather of a city',
            parameters,
            parse: (text: string) => city.parse(JSON.parse(text)),
            function: (given: z.infer<typeof city>) => {
              asked.push(given)
              return 'sunny'
            }
          }
        }
      ]
    })
    await runner.done()
    assert.equal(asked.length, 1)
    assert.deepEqual(city.parse(asked[0]), asked[0])
    const [, call, result] = runner.messages
    assert.ok(call?.role === 'assistant' && call.tool_calls?.length === 1)
    assert.deepEqual({ ...result }, { role: 'tool', content: 'sunny', tool_call_id: call.tool_calls[0]!.id })
    // and the model reads what it has asked and been told
    const { choices } = await gateway.client.chat.completions.create({
      ...greedy,
      max_tokens: 4,
      messages: runner.messages,
      tools: [{ type: 'function', function: { name: 'weather', parameters } }],
      tool_choice: 'none'
    })
    assert.equal(choices[0]?.finish_reason, 'length')
  })

  it('stream the calls, whose arguments are those of the whole answer', async () => {
    const create = {
      ...greedy,
      messages,
      tools: [{ type: 'function' as const, function: { name: 'weather', parameters } }],
      tool_choice: 'required' as const,
      parallel_tool_calls: false
    }
    const { choices } = await gateway.client.chat.completions.create(create)
    const whole = choices[0]!
    assert.equal(whole.finish_reason, 'tool_calls')
    assert.equal(whole.message.content, null)
    const stream = gateway.client.chat.completions.stream(create)
    const pieces: string[] = []
    stream.on('tool_calls.function.arguments.delta', ({ arguments_delta: text }) => pieces.push(text))
    const message = await stream.finalMessage()
    const [call] = message.tool_calls ?? []
    assert.ok(call?.type === 'function' && whole.message.tool_calls?.[0]?.type === 'function')
    assert.equal(call.function.name, 'weather')
    assert.equal(call.function.arguments, whole.message.tool_calls[0].function.arguments)
    assert.equal(pieces.join(''), call.function.arguments)
    assert.ok(pieces.length > 2, JSON.stringify(pieces))
    city.parse(JSON.parse(call.function.arguments))
  })

  it('answer with what a schema describes', async () => {
    const { choices } = await gateway.client.chat.completions.parse({
      ...greedy,
      messages,
      response_format: zodResponseFormat(story, 'story')
    })
    assert.deepEqual(story.parse(choices[0]?.message.parsed), choices[0]?.message.parsed)
    const { output_parsed: parsed } = await gateway.client.responses.parse({
      model: 'tiny',
      temperature: 0,
      max_output_tokens: 120,
      input: messages,
      text: { format: zodTextFormat(story, 'story') }
    })
    assert.deepEqual(parsed, choices[0]?.message.parsed)
  })

  it('refuse a strict schema with a keyword that cannot be enforced, by its place', async () => {
    const { completions } = gateway.client.chat
    const schema = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } }
    const format = { type: 'json_schema' as const, json_schema: { name: 'x', strict: true, schema } }
    await assert.rejects(completions.create({ ...greedy, messages, response_format: format }), {
      status: 400,
      param: 'response_format',
      message: /\/properties\/a: keyword 'uniqueItems' is not supported/
    })
    const tools = [{ type: 'function' as const, function: { name: 'f', strict: true, parameters: schema } }]
    await assert.rejects(completions.create({ ...greedy, messages, tools, tool_choice: 'required' }), {
      status: 400,
      message: /tool 'f': at \/properties\/a: keyword 'uniqueItems'/
    })
  })

  it('call functions in responses, and read their results', async () => {
    const { responses } = gateway.client
    const tools = [{ type: 'function' as const, name: 'weather', parameters, strict: true }]
    const stream = responses.stream({
      model: 'tiny',
      temperature: 0,
      max_output_tokens: 120,
      input: messages,
      tools,
      tool_choice: { type: 'function', name: 'weather' }
    })
    let streamed = ''
    stream.on('response.function_call_arguments.delta', ({ delta }) => {
      streamed += delta
    })
    const first = await stream.finalResponse()
    const call = first.output.find(item => item.type === 'function_call')
    assert.ok(call !== undefined)
    assert.equal(streamed, call.arguments)
    city.parse(JSON.parse(call.arguments))
    const second = await responses.create({
      model: 'tiny',
      temperature: 0,
      max_output_tokens: 4,
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
      tools,
      tool_choice: 'none'
    })
    assert.equal(second.status, 'incomplete')
    assert.equal(second.output[0]?.type, 'message')
  })
})
