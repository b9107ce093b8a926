// Texts that are far longer than any context are refused before all of their tokens are made: while those are, nobody else is answered.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fittingPrompt, promptOf } from '../../gateway/chat/prompt.ts'
import { parseBody } from '../../gateway/http/json-body.ts'
import { beginningOf } from '../../gateway/models/prompt-room.ts'
import { gatewayOver, served } from '../../testing/gateway.ts'
import { useSwarm } from '../../testing/swarm.ts'

describe('prompts that are far too long', () => {
  const used = useSwarm([[0, 12]])

  /** The model, and how many characters its tokenizer was given. */
  const counted = (init: Parameters<typeof served>[1] = {}) => {
    const { tokenizer } = used.model
    let characters = 0
    const counting = Object.create(tokenizer, {
      encode: {
        value: (...input: Parameters<typeof tokenizer.encode>) => {
          characters += input[0].length
          return tokenizer.encode(...input)
        }
      }
    }) as typeof tokenizer
    return { model: served(used.model, { tokenizer: counting, ...init }), count: () => characters }
  }

  const huge = 'word a '.repeat(500_000)

  it('are refused in every dialect, with few of their characters encoded', async () => {
    const { model, count } = counted()
    const { api } = gatewayOver([model, { ...model, id: 'base', template: null }], undefined, { allowedHosts: null })
    const messages = [{ role: 'user', content: huge }]
    const wide = Array.from({ length: 50_000 }, () => ({ role: 'user', content: 'x' }))
    const tool = (name: string) => ({ type: 'function', function: { name, description: 'd', parameters: {} } })
    const tools = Array.from({ length: 30_000 }, (_, at) => tool(`t${at}`))
    const [user] = [[{ role: 'user', content: 'x' }]]
    const requests: [path: string, body: object][] = [
      ['/v1/completions', { model: 'tiny', prompt: huge }],
      ['/v1/completions', { model: 'tiny', prompt: ['x', huge] }],
      ['/v1/embeddings', { model: 'tiny', input: huge }],
      ['/v1/chat/completions', { model: 'tiny', messages }],
      ['/v1/chat/completions', { model: 'tiny', messages: wide }],
      ['/v1/chat/completions', { model: 'tiny', messages: user, chat_template_kwargs: { x: huge } }],
      ['/v1/responses', { model: 'tiny', input: huge }],
      ['/v1/responses', { model: 'tiny', input: huge, truncation: 'auto' }],
      ['/v1/messages', { model: 'tiny', max_tokens: 4, messages }],
      ['/v1/messages/count_tokens', { model: 'tiny', messages }],
      ['/api/chat', { model: 'tiny', messages, stream: false }],
      ['/api/generate', { model: 'base', prompt: huge, stream: false }],
      ['/api/embed', { model: 'tiny', input: huge, truncate: false }]
    ]
    for (const [path, body] of requests) {
      const before = count()
      const answer = await api.request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
      const text = await answer.text()
      assert.deepEqual([path, answer.status], [path, 400], text)
      assert.match(text, /context of 1024 tokens, the prompt has more than (2048|8192)/)
      assert.ok(count() - before < 300_000, `${path}: ${count() - before} characters`)
    }
    const { model: one, count: ofTools } = counted()
    const asked = { model: one, messages: user, tools: tools.map(({ function: each }) => each) }
    assert.throws(() => promptOf(asked), { code: 'context_length_exceeded', param: 'messages' })
    assert.ok(ofTools() < 300_000)
  })

  it('lose their oldest turns where the request allows it', () => {
    const { model, count } = counted()
    const last = { role: 'user', content: 'It was a dark' }
    const turns = Array.from({ length: 2000 }, () => [
      { role: 'user', content: 'word a '.repeat(50) },
      { role: 'assistant', content: 'yes' }
    ]).flat()
    const signal = new AbortController().signal
    const request = {
      model,
      messages: [...turns, last],
      sampling: { maxTokens: 4 },
      truncation: 'auto' as const,
      signal
    }
    const { ids, droppedMessages } = fittingPrompt(request)
    const kept = request.messages.slice(droppedMessages)
    assert.deepEqual(ids, promptOf({ model, messages: kept }))
    assert.ok(ids.length <= 1020 && droppedMessages % 2 === 0 && kept.length > 1)
    // one more turn does not fit
    assert.ok(promptOf({ model, messages: request.messages.slice(droppedMessages - 2) }).length > 1020)
    assert.ok(count() < 2_000_000)
  })

  it('are cut for embeddings where they may be', () => {
    const { model, count } = counted()
    const { tokenizer } = used.model
    const text = beginningOf(model, huge)
    assert.ok(count() < 100_000)
    const ids = (of: string) => tokenizer.encode(of, { plainText: true }).slice(0, 1024)
    assert.equal(ids(text).length, 1024)
    assert.deepEqual(ids(text), ids(huge.slice(0, 100_000)))
  })

  it('encodes what may fit as before: a run of spaces has few tokens', async () => {
    const { model } = counted()
    const { api } = gatewayOver([model], undefined, { allowedHosts: null })
    const prompt = ' '.repeat(60_000)
    const tokens = used.model.tokenizer.encode(prompt).length
    const answer = await api.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', prompt, max_tokens: 1 })
    })
    const text = await answer.text()
    assert.match(text, tokens < 1024 ? /usage/ : new RegExp(`the prompt has ${tokens},`))
  })
})

it('a body with very many keys is refused before it is read; a bias for each token of a large vocabulary is not', () => {
  const keys = (count: number) => Buffer.from(`{${Array.from({ length: count }, (_, at) => `"${at}":1`).join(',')}}`)
  assert.throws(() => parseBody(keys(400_001)), { status: 400, message: /at most 400000 keys, found 400001/ })
  assert.equal(Object.keys(parseBody(keys(262_144)) as object).length, 262_144)
  // a colon in a text is none
  assert.deepEqual(parseBody(Buffer.from(`{"a":"${':'.repeat(500_000)}"}`)), { a: ':'.repeat(500_000) })
})
