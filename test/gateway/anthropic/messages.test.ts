// Anthropic's Messages API through Anthropic's own client, over a socket and a real swarm.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { serve } from '@hono/node-server'
import { agentTemplate, gatewayOver, served } from '../../../testing/gateway.ts'
import { until, useSwarm } from '../../../testing/swarm.ts'

describe('messages', () => {
  const used = useSwarm([[0, 12]])
  let client: Anthropic
  let server: ReturnType<typeof serve>
  before(async () => {
    const { api } = gatewayOver(
      ['tiny', 'second', 'agent'].map(id =>
        served(used.model, { id, ...(id === 'agent' && { template: agentTemplate }) })
      )
    )
    server = serve({ fetch: api.fetch, port: 0, hostname: '127.0.0.1' })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    client = new Anthropic({ baseURL: `http://127.0.0.1:${port}`, apiKey: 'none', maxRetries: 0 })
  })
  after(() => server.close())

  const turn = (role: string, text: string): string => `<|im_start|>${role}\n${text}<|im_end|>\n`
  const prompt = `${turn('user', 'It was a dark')}<|im_start|>assistant\n`
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'It was a dark' }]
  const request = { model: 'tiny', messages, temperature: 0, max_tokens: 8 }

  async function expected(text: string, tokens: number): Promise<string> {
    const { tokenizer } = used.model
    const ids = tokenizer.encode(text)
    const [row] = await used.model.generate(ids, { maxNewTokens: tokens })
    return tokenizer.decode(row!.slice(ids.length))
  }
  const textOf = ({ content }: Anthropic.Message): string =>
    content.map(block => (block.type === 'text' ? block.text : '')).join('')

  it('answers with the tokens of the SDK', async () => {
    const answer = await client.messages.create(request)
    assert.equal(textOf(answer), await expected(prompt, 8))
    assert.equal(answer.stop_reason, 'max_tokens')
    assert.match(answer.id, /^msg_/)
    const { input_tokens, output_tokens } = answer.usage
    assert.deepEqual([input_tokens, output_tokens], [used.model.tokenizer.encode(prompt).length, 8])
  })

  it("streams the same message in Anthropic's order", async () => {
    const stream = client.messages.stream(request)
    const types: string[] = []
    for await (const event of stream) if (types.at(-1) !== event.type) types.push(event.type)
    assert.deepEqual(types, [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop'
    ])
    const streamed = JSON.parse(JSON.stringify(await stream.finalMessage())) as Anthropic.Message
    const whole = await client.messages.create(request)
    // the client adds what it parsed of the text
    assert.deepEqual({ ...streamed, id: whole.id, parsed_output: null }, { ...whole, parsed_output: null })
  })

  it('writes the system prompt and several blocks as the template does, and counts their tokens', async () => {
    const { input_tokens } = await client.messages.countTokens({
      model: 'tiny',
      system: [
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: 'Be kind.' }
      ],
      messages: [
        { role: 'user', content: 'One' },
        { role: 'user', content: [{ type: 'text', text: 'Two' }] }
      ]
    })
    const written = `${turn('system', 'Be brief.\n\nBe kind.')}${turn('user', 'One\n\nTwo')}<|im_start|>assistant\n`
    assert.equal(input_tokens, used.model.tokenizer.encode(written).length)
  })

  it('continues a last message of the assistant', async () => {
    const prefilled = [...messages, { role: 'assistant' as const, content: 'and stormy' }]
    const answer = await client.messages.create({ ...request, messages: prefilled })
    assert.equal(textOf(answer), await expected(`${prompt}and stormy`, 8))
    const spaced = [...messages, { role: 'assistant' as const, content: 'and ' }]
    await assert.rejects(client.messages.create({ ...request, messages: spaced }), /cannot end with white space/)
  })

  it("tells errors in Anthropic's form, with the field", async () => {
    const create = (fields: object): Promise<unknown> => client.messages.create({ ...request, ...fields } as never)
    const told = async (fields: object): Promise<InstanceType<typeof Anthropic.APIError>> => {
      const error = await create(fields).catch((error: unknown) => error)
      assert.ok(error instanceof Anthropic.APIError, String(error))
      return error
    }
    const missing = await told({ max_tokens: undefined })
    assert.equal(missing.status, 400)
    assert.equal(missing.type, 'invalid_request_error')
    assert.match(missing.message, /max_tokens/)
    const unknown = await told({ model: 'tiny2' })
    assert.deepEqual([unknown.status, unknown.type], [404, 'not_found_error'])
    const blocks = [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: '' } }]
    assert.match(
      (await told({ messages: [{ role: 'user', content: blocks }] })).message,
      /messages\[0\]\.content\[0\]: type 'image' is not supported: the models here read text only/
    )
    assert.match((await told({ container: 'c' })).message, /container: not supported/)
    assert.match((await told({ nonsense: 1 })).message, /nonsense: unsupported field/)
    const result = { type: 'tool_result', tool_use_id: 'none', content: '' }
    assert.match((await told({ messages: [{ role: 'user', content: [result] }] })).message, /tool_use_id: no tool_use/)
    assert.match(
      (await told({ tool_choice: { type: 'any', disable_parallel_tool_use: true } })).message,
      /tool_choice: there are no tools/
    )
  })

  const weather: Anthropic.Tool = {
    name: 'weather',
    description: 'Tells the weather',
    input_schema: { type: 'object', properties: { city: { enum: ['Ulm', 'Bonn'] } }, required: ['city'] },
    strict: true
  }

  it('calls a tool that it must call, whole and streamed, and reads its result', async () => {
    const asking = { ...request, model: 'agent', max_tokens: 200, tools: [weather] }
    const whole = await client.messages.create({
      ...asking,
      tool_choice: { type: 'any', disable_parallel_tool_use: true }
    })
    assert.equal(whole.stop_reason, 'tool_use')
    const [call] = whole.content
    assert.ok(call?.type === 'tool_use' && call.name === 'weather', JSON.stringify(whole.content))
    assert.ok(['Ulm', 'Bonn'].includes((call.input as { city: string }).city))

    const stream = client.messages.stream({
      ...asking,
      tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true }
    })
    let json = ''
    for await (const event of stream) {
      if (event.type === 'content_block_delta' && event.delta.type === 'input_json_delta')
        json += event.delta.partial_json
    }
    assert.deepEqual(JSON.parse(json), call.input)
    const { content } = await stream.finalMessage()
    assert.deepEqual(
      content.map(block => (block.type === 'tool_use' ? block.input : block.type)),
      [call.input]
    )

    const result = { type: 'tool_result' as const, tool_use_id: call.id, content: 'Rain.' }
    const history = [
      ...messages,
      { role: 'assistant' as const, content: whole.content },
      { role: 'user' as const, content: [result] }
    ]
    const { input_tokens } = await client.messages.countTokens({ model: 'agent', messages: history, tools: [weather] })
    const fewer = await client.messages.countTokens({ model: 'agent', messages, tools: [weather] })
    assert.ok(input_tokens > fewer.input_tokens)
    const answer = await client.messages.create({
      ...asking,
      messages: history,
      max_tokens: 2,
      tool_choice: { type: 'none' }
    })
    assert.equal(answer.usage.output_tokens, 2)
  })

  it('answers in the form of a schema, and ends before a stop sequence', async () => {
    const schema = {
      type: 'object',
      properties: { city: { enum: ['Ulm', 'Bonn'] } },
      required: ['city'],
      additionalProperties: false
    }
    const format = { type: 'json_schema' as const, schema }
    const answer = await client.messages.create({ ...request, max_tokens: 200, output_config: { format } })
    assert.ok(['Ulm', 'Bonn'].includes((JSON.parse(textOf(answer)) as { city: string }).city))
    const whole = await expected(prompt, 8)
    const stop = whole.slice(3, 5)
    const stopped = await client.messages.create({ ...request, stop_sequences: [stop] })
    assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', stop])
    assert.equal(textOf(stopped), whole.slice(0, whole.indexOf(stop)))
  })

  it('tells thoughts apart from the answer, and leaves their text out where it is asked to', async () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
    const think = (more: object) =>
      client.messages.create({ ...request, model: 'agent', thinking: { ...thinking, ...more } })
    const [thoughts] = (await think({})).content
    assert.ok(thoughts?.type === 'thinking')
    assert.equal(thoughts.thinking.trim(), (await expected(`${prompt}<think>\n`, 8)).trim())
    const asked = { ...thinking, budget_tokens: 3 }
    const limited = await client.messages.create({ ...request, model: 'agent', max_tokens: 40, thinking: asked })
    assert.deepEqual(
      limited.content.map(({ type }) => type),
      ['thinking', 'text']
    )
    const [hidden] = (await think({ display: 'omitted' })).content
    assert.deepEqual(hidden, { type: 'thinking', thinking: '', signature: '' })
  })

  it('tells the id of a request, with its error too', async () => {
    const { _request_id: id } = await client.messages.create({ ...request, max_tokens: 1 })
    assert.match(String(id), /^[\w-]{8,}$/)
    const error: unknown = await client.messages.create({ ...request, model: 'none' }).catch((error: unknown) => error)
    assert.ok(error instanceof Anthropic.NotFoundError)
    assert.match(String(error.requestID), /^[\w-]{8,}$/)
    assert.equal((error.error as { request_id?: string }).request_id, error.requestID)
    const models: unknown = await client.models.retrieve('none').catch((error: unknown) => error)
    assert.ok(models instanceof Anthropic.NotFoundError && models.requestID)
  })

  it('answers a client that leaves in the middle with the end of its generation', async () => {
    const stream = client.messages.stream({ ...request, max_tokens: 200 })
    let count = 0
    await assert.rejects(async () => {
      for await (const event of stream) if (event.type === 'content_block_delta' && ++count === 2) stream.abort()
    }, Anthropic.APIUserAbortError)
    await until(() => used.swarm.servers.every(server => server.sessions === 0))
  })

  it("lists models in Anthropic's form to Anthropic's clients", async () => {
    const first = await client.models.list({ limit: 2 })
    assert.deepEqual(
      [first.data.map(({ id }) => id), first.has_more, first.last_id],
      [['tiny', 'second'], true, 'second']
    )
    const all: string[] = []
    for await (const model of first) all.push(model.id)
    assert.deepEqual(all, ['tiny', 'second', 'agent'])
    const before = await client.models.list({ before_id: 'agent', limit: 1 })
    assert.deepEqual([before.data.map(({ id }) => id), before.has_more], [['second'], true])
    assert.equal((await client.models.retrieve('second')).created_at, '2026-05-28T20:26:40Z')
    await assert.rejects(client.models.retrieve('nothing'), Anthropic.NotFoundError)
  })
})
