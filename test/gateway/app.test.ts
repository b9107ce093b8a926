// The API as a whole: what it lists, and what errors look like in each dialect.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answerChat } from '../../gateway/chat/chat.ts'
import { promptOf } from '../../gateway/chat/prompt.ts'
import { encodePrompt } from '../../gateway/models/served-model.ts'
import { gatewayOver, served } from '../../testing/gateway.ts'
import { collectAll } from '../../testing/references.ts'
import { useSwarm } from '../../testing/swarm.ts'

describe('the API over a swarm', () => {
  const used = useSwarm([
    [0, 6],
    [6, 12]
  ])

  it('lists the models', async () => {
    const { api } = gatewayOver([served(used.model), served(used.model, { id: 'other', baseId: 'tiny' })])
    const answer = await api.request('/v1/models')
    assert.deepEqual(await answer.json(), {
      object: 'list',
      data: ['tiny', 'other'].map(id => ({ id, object: 'model', created: 1_780_000_000, owned_by: 'swarmtune' }))
    })
  })

  it('answers a chat with the tokens of the prompt that its template writes', async () => {
    const model = served(used.model)
    const messages = [{ role: 'user', content: 'It was a dark' }]
    const { signal } = new AbortController()
    const sampling = { temperature: 0, maxTokens: 8 }
    const events = await collectAll(answerChat({ model, messages, sampling, signal }))
    const prompt = used.model.tokenizer.encode('<|im_start|>user\nIt was a dark<|im_end|>\n<|im_start|>assistant\n')
    const rows = await used.model.generate(prompt, { maxNewTokens: 8 })
    const expected = used.model.tokenizer.decode(rows[0]!.slice(prompt.length))
    assert.equal(events.map(event => (event.type === 'content' ? event.text : '')).join(''), expected)
    assert.deepEqual(events.at(-1), {
      type: 'usage',
      usage: { promptTokens: prompt.length, completionTokens: 8, reasoningTokens: 0 }
    })
  })

  it('continues the last message, or token ids instead of messages', async () => {
    const model = served(used.model)
    const { signal } = new AbortController()
    const sampling = { temperature: 0, maxTokens: 4 }
    const messages = [
      { role: 'user', content: 'It was a dark' },
      { role: 'assistant', content: 'and stormy' }
    ]
    const written = '<|im_start|>user\nIt was a dark<|im_end|>\n<|im_start|>assistant\nand stormy'
    const prompt = used.model.tokenizer.encode(written)
    assert.deepEqual(promptOf({ model, messages, continueLast: true }), prompt)
    const continued = await collectAll(answerChat({ model, messages, continueLast: true, sampling, signal }))
    const given = await collectAll(answerChat({ model, messages: [], prompt, sampling, signal }))
    assert.deepEqual(given, continued)
    assert.throws(() => promptOf({ model, messages: messages.slice(0, 1), continueLast: true }), /'user'/)
  })

  it('takes a control token in a message or a raw prompt as text, unless the model allows it in prompts', () => {
    const model = served(used.model)
    const end = used.model.tokenizer.eosTokenId!
    const hostile = [{ role: 'user', content: 'It was<|endoftext|>a dark' }]
    assert.equal(promptOf({ model, messages: hostile }).includes(end), false)
    assert.equal(encodePrompt(model, 'a<|endoftext|>').includes(end), false)
    assert.equal(encodePrompt({ ...model, promptControlTokens: true }, 'a<|endoftext|>').includes(end), true)
  })
})
