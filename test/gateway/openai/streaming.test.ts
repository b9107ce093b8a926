// Streams of OpenAI's routes over a real socket: clients that leave, servers that leave, prompts that take their time.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import OpenAI from 'openai'
import type { DistributedModelForCausalLM } from '../../../client/index.ts'
import type { RequestRecord } from '../../../gateway/storage/requests.ts'
import { memoryStore } from '../../../gateway/storage/store.ts'
import { served } from '../../../testing/gateway.ts'
import { type GatewayServer, listen } from '../../../testing/gateway-server.ts'
import { startSwarm, type TestSwarm, until } from '../../../testing/swarm.ts'

const messages = [{ role: 'user' as const, content: 'It was a dark' }]
const many = 180

describe('streams of the API', () => {
  const store = memoryStore()
  let swarm: TestSwarm
  let model: DistributedModelForCausalLM
  let gateway: GatewayServer
  let client: OpenAI
  before(async () => {
    swarm = await startSwarm([[0, 12]])
    model = await swarm.connect({ remote: { requestTimeoutMs: 500, retryDelaysMs: [10] } })
    gateway = await listen([served(model)], store)
    client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  })
  after(async () => {
    await gateway.stop()
    await model.close()
    await swarm[Symbol.asyncDispose]()
  })

  /** The record of the request that ended last, once there are this many. */
  async function recorded(count: number): Promise<RequestRecord> {
    await until(() => store.requests.recent().length === count)
    return store.requests.recent()[0]!
  }

  const greedy = { model: 'tiny', temperature: 0, stream: true } as const

  it('end the generation within a step when the client leaves', async () => {
    const [server] = swarm.servers
    const streams: readonly ((signal: AbortSignal) => Promise<AsyncIterable<unknown>>)[] = [
      signal => client.chat.completions.create({ ...greedy, messages, max_tokens: many }, { signal }),
      signal => client.completions.create({ ...greedy, prompt: 'It was a dark', max_tokens: many }, { signal }),
      signal => client.responses.create({ ...greedy, input: messages, max_output_tokens: many }, { signal })
    ]
    for (const [at, open] of streams.entries()) {
      const controller = new AbortController()
      let pieces = 0
      for await (const _ of await open(controller.signal)) if (++pieces === 8) controller.abort()
      const { status, completionTokens } = await recorded(at + 1)
      assert.equal(status, 499)
      // what was on its way to the client, and the step that ran
      assert.ok(completionTokens <= pieces + 4, `${completionTokens} tokens for ${pieces} pieces`)
      await until(() => server!.sessions === 0)
    }
    assert.deepEqual(
      store.requests.recent().map(({ code }) => code),
      ['client_left', 'client_left', 'client_left']
    )
  })

  it('end it, too, when the client leaves while it waits for the whole answer', async () => {
    const [server] = swarm.servers
    const controller = new AbortController()
    const asked = client.chat.completions.create(
      { model: 'tiny', messages, temperature: 0, max_tokens: many },
      { signal: controller.signal }
    )
    await until(() => server!.sessions === 1)
    controller.abort()
    await assert.rejects(asked, OpenAI.APIUserAbortError)
    const { status, completionTokens } = await recorded(4)
    assert.equal(status, 499)
    assert.ok(completionTokens < many / 2, `${completionTokens} tokens`)
    await until(() => server!.sessions === 0)
  })

  it('tell of a server that leaves by an error that the client throws', async () => {
    const streams = [
      await client.chat.completions.create({ ...greedy, messages, max_tokens: many }),
      await client.responses.create({ ...greedy, input: messages, max_output_tokens: many, store: false })
    ]
    const read = streams.map(async stream => {
      let pieces = 0
      for await (const _ of stream as AsyncIterable<unknown>) pieces++
      return pieces
    })
    // each is awaited before it can fail
    const failed = read.map(ended =>
      assert.rejects(ended, (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.ok(error instanceof OpenAI.APIError)
        assert.equal(error.code, 'blocks_unavailable')
        return true
      })
    )
    await until(() => swarm.servers[0]!.sessions === 2)
    await swarm.servers[0]!.stop()
    await Promise.all(failed)
  })

  it('answer 503 where no server has the blocks before anything is sent', async () => {
    await assert.rejects(
      client.chat.completions.create({ ...greedy, messages }),
      (error: InstanceType<typeof OpenAI.InternalServerError>) => {
        assert.ok(error instanceof OpenAI.InternalServerError)
        assert.equal(error.status, 503)
        assert.ok(Number(error.headers.get('retry-after')) >= 1)
        return true
      }
    )
  })
})
