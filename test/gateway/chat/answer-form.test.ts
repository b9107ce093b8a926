// Chats whose answers have a form: JSON, and calls of tools that are wanted or strict. The model is one that knows nothing of either.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answerChat } from '../../../gateway/chat/chat.ts'
import type { ChatEvent, ChatRequest, Tool } from '../../../gateway/chat/request.ts'
import { agentTemplate, gatewayOver, served } from '../../../testing/gateway.ts'
import { collectAll } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

const count: Tool = {
  name: 'count',
  strict: true,
  parameters: {
    type: 'object',
    properties: { to: { type: 'integer', minimum: 3, maximum: 9 } },
    required: ['to'],
    additionalProperties: false
  }
}
const greet: Tool = {
  name: 'greet',
  parameters: { type: 'object', properties: { who: { enum: ['Ann', 'Bo'] } }, required: ['who'] }
}

const textOf = (events: readonly ChatEvent[], type: 'content' | 'reasoning' | 'tool_arguments'): string =>
  events.map(event => (event.type === type ? event.text : '')).join('')

const namesOf = (events: readonly ChatEvent[]): readonly string[] =>
  events.flatMap(event => (event.type === 'tool_call' ? [event.name] : []))

const finishOf = (events: readonly ChatEvent[]): unknown => events.find(event => event.type === 'finish')?.reason

describe('the form of an answer', () => {
  const used = useSwarm([[0, 12]])

  const ask = async (init: Partial<ChatRequest>): Promise<ChatEvent[]> =>
    await collectAll(
      answerChat({
        model: served(used.model, { template: agentTemplate }),
        messages: [{ role: 'user', content: 'It was a dark' }],
        sampling: { temperature: 1, seed: 4, maxTokens: 200 },
        signal: new AbortController().signal,
        ...init
      })
    )

  it('is JSON of a schema, after the thoughts that the prompt begins', async () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'integer', maximum: 5 } },
      required: ['n'],
      additionalProperties: false
    }
    const format = { type: 'json_schema', schema, strict: true } as const
    const { n } = JSON.parse(textOf(await ask({ format }), 'content')) as { n: number }
    assert.ok(Number.isInteger(n) && n <= 5)
    // a model of random thoughts is ended by its length: no JSON begins before they end
    const thinking = await ask({
      format,
      templateVariables: { enable_thinking: true },
      sampling: { temperature: 0, maxTokens: 12 }
    })
    assert.equal(textOf(thinking, 'content'), '')
    assert.ok(textOf(thinking, 'reasoning').length > 0)
  })

  it('is a call of any tool, of one tool, or of one call alone', async () => {
    const required = await ask({ tools: [count, greet], toolChoice: 'required', parallelToolCalls: false })
    assert.equal(finishOf(required), 'tool_calls')
    assert.equal(namesOf(required).length, 1)
    for (let seed = 0; seed < 3; seed++) {
      const events = await ask({
        tools: [count, greet],
        toolChoice: { name: 'count' },
        parallelToolCalls: false,
        sampling: { temperature: 1, seed, maxTokens: 240 }
      })
      assert.deepEqual(namesOf(events), ['count'])
      const { to, ...rest } = JSON.parse(textOf(events, 'tool_arguments')) as { to: number }
      assert.ok(to >= 3 && to <= 9 && Object.keys(rest).length === 0)
    }
    const named = await ask({ tools: [count, greet], toolChoice: { name: 'greet' }, parallelToolCalls: false })
    assert.ok(['Ann', 'Bo'].includes((JSON.parse(textOf(named, 'tool_arguments')) as { who: string }).who))
  })

  it('is told over HTTP, with the keyword that a strict schema may not have', async () => {
    const { api } = gatewayOver([served(used.model, { template: agentTemplate })])
    const post = async (
      more: object
    ): Promise<{ status: number; body: { error?: { message: string; param: string } } }> => {
      const answer = await api.request('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'tiny',
          messages: [{ role: 'user', content: 'x' }],
          max_tokens: 60,
          seed: 1,
          ...more
        })
      })
      return { status: answer.status, body: (await answer.json()) as object }
    }
    const schema = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } }
    const refused = await post({
      response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } }
    })
    assert.equal(refused.status, 400)
    assert.match(refused.body.error!.message, /\/properties\/a: keyword 'uniqueItems' is not supported/)
    assert.equal(refused.body.error!.param, 'response_format')
    const tools = [{ type: 'function', function: { name: 'f', strict: true, parameters: schema } }]
    const tool = await post({ tools, tool_choice: 'required' })
    assert.match(tool.body.error!.message, /tool 'f': at \/properties\/a: keyword 'uniqueItems'/)
    const object = await post({ response_format: { type: 'json_object' }, temperature: 0 })
    assert.equal(object.status, 200)
  })
})
