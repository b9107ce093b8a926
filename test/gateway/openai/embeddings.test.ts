// Embeddings through OpenAI's own client, which asks for base64 by itself.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import OpenAI from 'openai'
import { served } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { assertClose } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

describe('embeddings', () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [served(used.model)])
  const texts = ['It was a dark and stormy night, and the rain fell.', 'Once', 'A text in between']

  async function expected(text: string): Promise<number[]> {
    const { data } = await used.model.embed([used.model.tokenizer.encode(text)])
    const length = Math.hypot(...data)
    return [...data].map(value => value / length)
  }

  it('gives each input its vector, whatever stands beside it', async () => {
    const ids = texts.map(text => used.model.tokenizer.encode(text))
    const tokens = ids.flat().length
    for (const input of [texts, ids]) {
      for (const format of ['float', undefined] as const) {
        const { data, usage } = await gateway.client.embeddings.create({
          model: 'tiny',
          input,
          ...(format && { encoding_format: format })
        })
        assert.deepEqual({ ...usage }, { prompt_tokens: tokens, total_tokens: tokens })
        for (const [at, { embedding, index }] of data.entries()) {
          assert.equal(index, at)
          assertClose(embedding, await expected(texts[at]!), 1e-5, texts[at]!)
        }
      }
    }
  })

  it('computes many inputs in several batches', async () => {
    const many = Array.from({ length: 40 }, (_, at) => texts[at % 3]!.repeat(6))
    const { data } = await gateway.client.embeddings.create({ model: 'tiny', input: many })
    const wanted = await Promise.all(many.slice(0, 3).map(expected))
    assert.equal(data.length, 40)
    for (const [at, { embedding }] of data.entries()) assertClose(embedding, wanted[at % 3]!, 1e-5, `input ${at}`)
  })

  it('refuses what has no vector, by name', async () => {
    const create = (fields: object): Promise<unknown> =>
      gateway.client.embeddings.create({ model: 'tiny', input: 'It', ...fields })
    const { hiddenSize, maxPositions } = used.model.config
    await create({ dimensions: hiddenSize })
    await assert.rejects(
      create({ dimensions: 8 }),
      new RegExp(`dimensions: vectors of 'tiny' have ${hiddenSize} numbers`)
    )
    await assert.rejects(create({ input: ['a', ''] }), /input\[1\]: expected a text, found an empty one/)
    await assert.rejects(create({ input: [] }), OpenAI.BadRequestError)
    await assert.rejects(
      create({ input: ['a', Array.from({ length: maxPositions + 1 }, () => 1)] }),
      (error: InstanceType<typeof OpenAI.APIError>) => {
        // lists of texts and of token ids are not mixed
        assert.ok(error instanceof OpenAI.BadRequestError)
        return true
      }
    )
    await assert.rejects(
      create({ input: [[1], Array.from({ length: maxPositions + 1 }, () => 1)] }),
      (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.equal(error.code, 'context_length_exceeded')
        assert.equal(error.param, 'input[1]')
        assert.match(error.message, new RegExp(`takes ${maxPositions + 1} tokens, the model 'tiny' has room for`))
        return true
      }
    )
  })
})
