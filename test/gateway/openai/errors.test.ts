// Errors as the classes of OpenAI's own client, by their status; and stored responses, which belong to the key that made them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import OpenAI from 'openai'
import { memoryStore } from '../../../gateway/storage/store.ts'
import { served } from '../../../testing/gateway.ts'
import { type GatewayServer, listen } from '../../../testing/gateway-server.ts'
import { useSwarm } from '../../../testing/swarm.ts'

const messages = [{ role: 'user' as const, content: 'It was a dark' }]
const create = { model: 'tiny', messages, max_tokens: 1 }

describe('errors of the API with keys', () => {
  const used = useSwarm([[0, 12]])
  const store = memoryStore()
  let gateway: GatewayServer
  const clientOf = (apiKey: string): OpenAI => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 })
  const newClient = (name: string, requestsPerMinute?: number): OpenAI =>
    clientOf(store.keys.create({ name, requestsPerMinute }).key)
  before(async () => {
    gateway = await listen([served(used.model)], store, { auth: 'keys', maxBodyBytes: 10_000 })
  })
  after(async () => {
    await gateway.stop()
    store.close()
  })

  async function fails(
    asked: Promise<unknown>,
    expected: new (...given: never[]) => Error,
    code: string | null = null
  ): Promise<void> {
    await assert.rejects(asked, (error: InstanceType<typeof OpenAI.APIError>) => {
      assert.ok(error instanceof expected, String(error))
      assert.ok(error.requestID, 'expected the id of the request')
      if (code !== null) assert.equal(error.code, code)
      return true
    })
  }

  it('have the class of their status', async () => {
    await fails(clientOf('sk-none').chat.completions.create(create), OpenAI.AuthenticationError)
    const client = newClient('ann')
    await fails(client.chat.completions.create({ ...create, model: 'large' }), OpenAI.NotFoundError, 'model_not_found')
    await fails(client.chat.completions.create({ ...create, temperature: 3 }), OpenAI.BadRequestError)
    const long = [{ role: 'user' as const, content: 'x'.repeat(20_000) }]
    await assert.rejects(client.chat.completions.create({ ...create, messages: long }), { status: 413 })
    await assert.rejects(
      client.post('/chat/completions', { body: '{"model": ', headers: { 'content-type': 'application/json' } }),
      {
        status: 400
      }
    )
    const hasty = newClient('bob', 1)
    await hasty.chat.completions.create(create)
    await fails(hasty.chat.completions.create(create), OpenAI.RateLimitError)
    await fails(hasty.chat.completions.create({ ...create, stream: true }), OpenAI.RateLimitError)
  })

  it('hide stored responses from other keys', async () => {
    const [ann, bob] = [newClient('cat'), newClient('dan')]
    const mine = await ann.responses.create({ model: 'tiny', input: messages, max_output_tokens: 1 })
    assert.equal((await ann.responses.retrieve(mine.id)).id, mine.id)
    await fails(bob.responses.retrieve(mine.id), OpenAI.NotFoundError)
    await fails(bob.responses.delete(mine.id), OpenAI.NotFoundError)
    const next = { model: 'tiny', input: 'Go on', previous_response_id: mine.id }
    await fails(bob.responses.create(next), OpenAI.NotFoundError)
    const reference = { type: 'item_reference' as const, id: mine.output[0]!.id! }
    await fails(bob.responses.create({ model: 'tiny', input: [reference] }), OpenAI.BadRequestError)
  })
})
