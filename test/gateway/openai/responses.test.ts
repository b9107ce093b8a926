// Responses through OpenAI's own client: made, streamed, continued, stored.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import OpenAI from 'openai'
import { accumulateResponse } from 'openai/lib/responses/ResponseAccumulator'
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses'
import type { ChatEvent } from '../../../gateway/chat/request.ts'
import { ApiError } from '../../../gateway/errors.ts'
import { newResponse, ResponseBuilder, type ResponseEvent } from '../../../gateway/openai/responses/answer.ts'
import { served } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { collectAll } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

/** All events of a response over these events of a chat. */
function eventsOf(chat: readonly ChatEvent[]): ResponseEvent[] {
  const builder = new ResponseBuilder(newResponse({ model: 'tiny', input: 'Hello' }, 'tiny'))
  return [...builder.begin(), ...chat.flatMap(event => [...builder.take(event)]), ...builder.end()]
}

const usage: ChatEvent = { type: 'usage', usage: { promptTokens: 5, completionTokens: 9, reasoningTokens: 2 } }

describe('events of a response', () => {
  const chat: readonly ChatEvent[] = [
    { type: 'start', promptTokens: 5, droppedMessages: 0 },
    { type: 'reasoning', choice: 0, text: 'Let me ', logprobs: [] },
    { type: 'reasoning', choice: 0, text: 'look.', logprobs: [] },
    { type: 'content', choice: 0, text: 'I will ask.', logprobs: [] },
    { type: 'tool_call', choice: 0, index: 0, id: 'call_1', name: 'weather' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '{"city":' },
    { type: 'tool_arguments', choice: 0, index: 0, text: '"Bern"}' },
    { type: 'tool_call', choice: 0, index: 1, id: 'call_2', name: 'time' },
    { type: 'tool_arguments', choice: 0, index: 1, text: '{}' },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
    usage
  ]

  it('have the names and numbers that clients expect', () => {
    const events = eventsOf(chat)
    assert.deepEqual(
      events.map(event => event.sequence_number),
      events.map((_, at) => at)
    )
    assert.deepEqual(
      events.map(event => event.type.replace('response.', '')),
      [
        ...['created', 'in_progress'],
        ...['output_item.added', 'content_part.added', 'reasoning_text.delta', 'reasoning_text.delta'],
        ...['reasoning_text.done', 'content_part.done', 'output_item.done'],
        ...['output_item.added', 'content_part.added', 'output_text.delta'],
        ...['output_text.done', 'content_part.done', 'output_item.done'],
        ...['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.delta'],
        ...['function_call_arguments.done', 'output_item.done'],
        ...['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done'],
        'completed'
      ]
    )
  })

  it('add up to the response, as the client adds them', () => {
    const events = eventsOf(chat)
    let snapshot: Response | undefined
    for (const event of events.slice(0, -1)) {
      snapshot = accumulateResponse(structuredClone(event) as unknown as ResponseStreamEvent, snapshot)
    }
    const last = events.at(-1)
    assert.ok(last?.type === 'response.completed')
    assert.deepEqual(JSON.parse(JSON.stringify(snapshot?.output)), last.response.output)
    assert.deepEqual(
      last.response.output.map(item => [item.type, item.status]),
      [
        ['reasoning', 'completed'],
        ['message', 'completed'],
        ['function_call', 'completed'],
        ['function_call', 'completed']
      ]
    )
    assert.deepEqual(last.response.usage, {
      input_tokens: 5,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 14
    })
  })

  it('say that the answer was cut off, and that there is none', () => {
    const cut = eventsOf([
      { type: 'content', choice: 0, text: 'It was', logprobs: [] },
      { type: 'finish', choice: 0, reason: 'length' },
      usage
    ]).at(-1)
    assert.ok(cut?.type === 'response.incomplete')
    assert.deepEqual(cut.response.incomplete_details, { reason: 'max_output_tokens' })
    assert.equal(cut.response.output[0]?.status, 'incomplete')
    const empty = eventsOf([{ type: 'finish', choice: 0, reason: 'stop' }, usage]).at(-1)
    assert.ok(empty?.type === 'response.completed')
    assert.equal(empty.response.output.length, 1)
  })

  it('tell an error with the next number', () => {
    const builder = new ResponseBuilder(newResponse({ model: 'tiny', input: 'Hello' }, 'tiny'))
    const begun = [...builder.begin()]
    const event = builder.fail(new ApiError('no server has block 3', { status: 503, code: 'blocks_unavailable' }))
    assert.equal(event.type, 'error')
    assert.equal(event.sequence_number, begun.length)
  })
})

describe('responses', () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [served(used.model)])
  const create = { model: 'tiny', temperature: 0, max_output_tokens: 6 }

  async function expected(prompt: string, tokens = 6): Promise<string> {
    const { tokenizer } = used.model
    const ids = tokenizer.encode(`${prompt}<|im_start|>assistant\n`)
    const [row] = await used.model.generate(ids, { maxNewTokens: tokens })
    return tokenizer.decode(row!.slice(ids.length))
  }

  const turn = (role: string, text: string): string => `<|im_start|>${role}\n${text}<|im_end|>\n`

  it('continue a stored one, instructions left out', async () => {
    const { responses } = gateway.client
    const instructions = 'You tell stories.'
    const first = await responses.create({ ...create, input: 'It was a dark', instructions })
    const asked = turn('user', 'It was a dark')
    assert.equal(first.output_text, await expected(turn('system', instructions) + asked))
    assert.equal(first.status, 'incomplete')
    const second = await responses.create({ ...create, input: 'Go on', previous_response_id: first.id })
    assert.equal(
      second.output_text,
      await expected(asked + turn('assistant', first.output_text) + turn('user', 'Go on'))
    )
    const read = await responses.retrieve(second.id)
    assert.deepEqual(read, second)
    const items = await collectAll(responses.inputItems.list(second.id, { order: 'asc' }))
    assert.deepEqual(
      items.map(item => ('content' in item ? item.content : null)),
      [[{ type: 'input_text', text: 'Go on' }]]
    )
    await responses.delete(first.id)
    await assert.rejects(responses.retrieve(first.id), OpenAI.NotFoundError)
    await assert.rejects(
      responses.create({ ...create, input: 'Go on', previous_response_id: second.id }),
      (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.ok(error instanceof OpenAI.NotFoundError)
        assert.equal(error.param, 'previous_response_id')
        assert.match(error.message, new RegExp(first.id))
        return true
      }
    )
  })

  it('read items as one conversation, and refer to stored ones', async () => {
    const { responses } = gateway.client
    const first = await responses.create({ ...create, input: 'It was a dark' })
    const [message] = first.output
    assert.ok(message?.type === 'message')
    const input = (item: object) => [
      { role: 'user' as const, content: [{ type: 'input_text' as const, text: 'It was a dark' }] },
      item as never,
      { role: 'user' as const, content: 'Go on' }
    ]
    const whole = await responses.create({ ...create, input: input(message) })
    const referred = await responses.create({ ...create, input: input({ type: 'item_reference', id: message.id }) })
    const prompt = turn('user', 'It was a dark') + turn('assistant', first.output_text) + turn('user', 'Go on')
    assert.equal(whole.output_text, await expected(prompt))
    assert.equal(referred.output_text, whole.output_text)
    await assert.rejects(
      responses.create({ ...create, input: input({ type: 'item_reference', id: 'msg_0' }) }),
      /input\[1\]\.id: no stored response has an item 'msg_0'/
    )
  })

  it('stream what is then stored', async () => {
    const { responses } = gateway.client
    const stream = responses.stream({ ...create, input: 'It was a dark' })
    let text = ''
    stream.on('response.output_text.delta', ({ delta }) => {
      text += delta
    })
    const final = await stream.finalResponse()
    assert.equal(text, await expected(turn('user', 'It was a dark')))
    assert.equal(final.output_text, text)
    assert.equal((await responses.retrieve(final.id)).output_text, text)
  })

  it('are not kept with store: false', async () => {
    const { responses } = gateway.client
    const { id, store } = (await responses.create({ ...create, input: 'It', store: false })) as Response & {
      store: boolean
    }
    assert.equal(store, false)
    await assert.rejects(responses.retrieve(id), /made with store: false/)
  })

  it('count the tokens of a prompt', async () => {
    const { input_tokens: tokens } = await gateway.client.responses.inputTokens.count({
      model: 'tiny',
      input: 'It was'
    })
    const prompt = `${turn('user', 'It was')}<|im_start|>assistant\n`
    assert.equal(tokens, used.model.tokenizer.encode(prompt).length)
  })

  it('tell log probabilities where they are included', async () => {
    const { output } = await gateway.client.responses.create({
      ...create,
      input: 'It was a dark',
      include: ['message.output_text.logprobs'],
      top_logprobs: 2
    })
    const [message] = output
    assert.ok(message?.type === 'message' && message.content[0]?.type === 'output_text')
    const { logprobs, text } = message.content[0]
    assert.equal(logprobs?.map(({ token }) => token).join(''), text)
    assert.ok(logprobs?.every(({ logprob, top_logprobs: top }) => top.length === 2 && top[0]!.logprob === logprob))
  })

  it('name what they do not support', async () => {
    const ask = (fields: object): Promise<unknown> =>
      gateway.client.responses.create({ ...create, input: 'It', ...fields } as never)
    await assert.rejects(ask({ background: true }), /background: not supported: wait for the answer/)
    await assert.rejects(ask({ tools: [{ type: 'web_search' }] }), /tools\[0\]: type 'web_search' is not supported/)
    await assert.rejects(
      ask({ input: [{ type: 'web_search_call', id: 'ws_1', status: 'completed' }] }),
      /input\[0\]: type 'web_search_call' is not supported/
    )
    const image = { type: 'input_image', image_url: 'data:,', detail: 'auto' }
    await assert.rejects(
      ask({ input: [{ role: 'user', content: [image] }] }),
      /input\[0\]\.content\[0\]: type 'input_image' is not supported/
    )
    await assert.rejects(
      ask({ input: [{ role: 'user', content: 'It', mood: 'good' }] }),
      /input\[0\]\.mood: unsupported field/
    )
    await assert.rejects(ask({ input: [{ type: 'function_call', name: 'weather' }] }), /input\[0\]\.call_id/)
    await assert.rejects(ask({ top_logprobs: 2 }), /top_logprobs: needs include/)
    await assert.rejects(ask({ tool_choice: 'required' }), /tool_choice: required without tools/)
  })
})
