// Chat completions through OpenAI's own client, over a socket and a real swarm.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import OpenAI from 'openai'
import { served } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { collectAll } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

describe('chat completions', () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [served(used.model)])

  const prompt = '<|im_start|>user\nIt was a dark<|im_end|>\n<|im_start|>assistant\n'
  const messages = [{ role: 'user' as const, content: 'It was a dark' }]

  async function expected(tokens: number): Promise<string> {
    const { tokenizer } = used.model
    const ids = tokenizer.encode(prompt)
    const [row] = await used.model.generate(ids, { maxNewTokens: tokens })
    return tokenizer.decode(row!.slice(ids.length))
  }

  it('answers with the tokens of the SDK', async () => {
    const answer = await gateway.client.chat.completions.create({
      model: 'tiny',
      messages,
      temperature: 0,
      max_tokens: 8
    })
    assert.equal(answer.choices[0]?.message.content, await expected(8))
    assert.equal(answer.choices[0]?.finish_reason, 'length')
    assert.equal(answer.usage?.completion_tokens, 8)
  })

  it('streams the same text, the role first and the usage last', async () => {
    const stream = await gateway.client.chat.completions.create({
      model: 'tiny',
      messages,
      temperature: 0,
      max_completion_tokens: 8,
      stream: true,
      stream_options: { include_usage: true }
    })
    const chunks = await collectAll(stream)
    assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' })
    assert.equal(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join(''), await expected(8))
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'length')
    assert.deepEqual(chunks.at(-1)?.choices, [])
    assert.equal(chunks.at(-1)?.usage?.completion_tokens, 8)
  })

  it('names the field that it does not know or support', async () => {
    const create = (fields: object): Promise<unknown> =>
      gateway.client.chat.completions.create({ model: 'tiny', messages, ...fields } as never)
    await assert.rejects(create({ best_of: 2 }), (error: InstanceType<typeof OpenAI.BadRequestError>) => {
      assert.ok(error instanceof OpenAI.BadRequestError)
      assert.equal(error.param, 'best_of')
      return true
    })
    await assert.rejects(
      create({ audio: { voice: 'ash', format: 'wav' } }),
      /audio: not supported: the models write text only/
    )
    const parts = [{ type: 'image_url', image_url: { url: 'data:,' } }]
    await assert.rejects(
      create({ messages: [{ role: 'user', content: parts }] }),
      /messages\[0\]\.content\[0\]: type 'image_url' is not supported: the models read text only/
    )
  })
})
