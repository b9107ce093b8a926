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

  it('streams several choices, each with its role and its end', async () => {
    const create = { model: 'tiny', messages, temperature: 0, max_tokens: 3, n: 2, stream: true } as const
    const chunks = await collectAll(await gateway.client.chat.completions.create(create))
    const roles = chunks[0]?.choices.map(({ index, delta }) => [index, delta.role])
    assert.deepEqual(roles, [
      [0, 'assistant'],
      [1, 'assistant']
    ])
    const choices = chunks.flatMap(chunk => chunk.choices)
    const text = await expected(3)
    for (const index of [0, 1]) {
      const own = choices.filter(choice => choice.index === index)
      assert.equal(own.map(({ delta }) => delta.content ?? '').join(''), text)
      assert.deepEqual(
        own.map(choice => choice.finish_reason).filter(reason => reason !== null),
        ['length']
      )
    }
  })

  it('tells log probabilities by token, in chunks as in the whole answer', async () => {
    const create = { model: 'tiny', messages, temperature: 0, max_tokens: 4, logprobs: true, top_logprobs: 2 } as const
    const answer = await gateway.client.chat.completions.create(create)
    const { message, logprobs } = answer.choices[0]!
    const bytes = logprobs!.content!.flatMap(token => token.bytes!)
    assert.equal(Buffer.from(bytes).toString(), message.content)
    assert.ok(
      logprobs!.content!.every(({ logprob, top_logprobs: top }) => top.length === 2 && top[0]!.logprob === logprob)
    )
    const stream = await gateway.client.chat.completions.create({ ...create, stream: true })
    const chunks = await collectAll(stream)
    assert.deepEqual(
      chunks.flatMap(chunk => chunk.choices[0]?.logprobs?.content ?? []).map(({ token }) => token),
      logprobs!.content!.map(({ token }) => token)
    )
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

  it('says how many tokens a prompt has that is too long, and how many there is room for', async () => {
    const { maxPositions } = used.model.config
    const text = 'It was a dark and stormy night. '.repeat(maxPositions / 8)
    const { client } = gateway
    const long = [{ role: 'user' as const, content: text }]
    const plain = used.model.tokenizer.encode(text).length
    const asks: readonly (readonly [string, number, () => Promise<unknown>])[] = [
      ['messages', plain + 11, () => client.chat.completions.create({ model: 'tiny', messages: long })],
      ['messages', plain + 11, () => client.chat.completions.create({ model: 'tiny', messages: long, stream: true })],
      ['prompt', plain, () => client.completions.create({ model: 'tiny', prompt: text })],
      ['prompt', plain, () => client.completions.create({ model: 'tiny', prompt: ['It', text], stream: true })],
      ['input', plain + 11, () => client.responses.create({ model: 'tiny', input: text })],
      ['input', plain + 11, () => client.responses.create({ model: 'tiny', input: text, stream: true })],
      ['input', plain, () => client.embeddings.create({ model: 'tiny', input: text })]
    ]
    for (const [param, tokens, asked] of asks) {
      await assert.rejects(asked(), (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.ok(error instanceof OpenAI.BadRequestError, String(error))
        assert.deepEqual([error.code, error.param], ['context_length_exceeded', param])
        assert.match(error.message, new RegExp(`\\b${tokens}\\b.*`))
        assert.match(error.message, new RegExp(`\\b${maxPositions}\\b`))
        return true
      })
    }
  })
})
