// A peer that falls silent on an open connection: whoever asks it waits no longer than he said.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { unlessSilent } from '../../../network/streams/silence.ts'
import { ChaosProxy } from '../../../testing/chaos/proxy.ts'
import { freePort } from '../../../testing/chaos/swarm.ts'

const protocol = '/swarmtune/test-silence/1.0.0'
const question = { body: { kind: 'infoRequest' }, tensors: {} } as const
/** far less than any limit of the network's own */
const limitMs = 300

describe('a peer that falls silent', () => {
  let server: Network
  let client: Network
  let proxy: ChaosProxy
  before(async () => {
    const port = await freePort()
    proxy = await ChaosProxy.open(port)
    server = await createNetwork({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    await server.handle(protocol, async stream => {
      for (let message = await stream.receive(); message !== null; message = await stream.receive()) {
        await stream.send(message)
      }
    })
    await server.start()
    const join = `/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${server.peerId}`
    client = await createNetwork({ listen: [], join: [join] })
    await client.start()
    await client.request(server.peerId, protocol, question)
    proxy.set({ isFrozen: true })
  })
  after(async () => {
    await client.stop()
    await server.stop()
    await proxy.close()
  })

  const isDeadline = (error: unknown): boolean => error instanceof SwarmError && error.code === 'DEADLINE'

  it('is not waited for longer than a request may take', () =>
    assert.rejects(client.request(server.peerId, protocol, question, { timeoutMs: limitMs }), isDeadline))

  it('is given up as soon as it is known to be silent, by whoever asks for that', () =>
    assert.rejects(
      client.request(server.peerId, protocol, question, { silence: { patienceMs: 50, answerMs: limitMs } }),
      (error: unknown) => error instanceof SwarmError && error.code === 'UNREACHABLE' && error.retryable
    ))

  it('does not keep a ping', () =>
    assert.rejects(client.ping(server.peerId, { signal: AbortSignal.timeout(limitMs) }), isDeadline))

  it('does not keep a stream that nobody has answered yet', async () => {
    const stream = await client.open(server.peerId, protocol)
    await stream.send(question)
    await assert.rejects(stream.receive({ signal: AbortSignal.timeout(limitMs) }))
    stream.abort(new Error('given up'))
  })
})

describe('what is given up when a peer is silent', () => {
  const silence = { patienceMs: 5, answerMs: 1000 }
  const lost = () => new SwarmError('UNREACHABLE', 'gone')

  it('goes on where pings are lost, but bytes come', async () => {
    const work = Promise.withResolvers<string>()
    let [pings, activeAt] = [0, 0]
    const ping = async (): Promise<never> => {
      pings += 1
      activeAt = performance.now() + 1
      if (pings === 2) work.resolve('all of it')
      throw new Error('no answer')
    }
    assert.equal(await unlessSilent({ activeAt: () => activeAt, ping, lost }, silence, () => work.promise), 'all of it')
    assert.equal(pings, 2)
  })

  it('ends where neither comes, and the work is told', async () => {
    const ping = () => Promise.reject(new Error('no answer'))
    const told: unknown[] = []
    const work = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(told.push(signal.reason)), { once: true })
      })
    await assert.rejects(unlessSilent({ activeAt: () => 0, ping, lost }, silence, work), { message: 'gone' })
    assert.equal((told[0] as Error).message, 'gone')
  })
  it('costs no abort where the work is done in time', async t => {
    const abort = t.mock.method(AbortController.prototype, 'abort')
    const ping = () => Promise.reject(new Error('no answer'))
    const watched = { activeAt: () => performance.now(), ping, lost }
    assert.equal(await unlessSilent(watched, silence, async () => 'done', new AbortController().signal), 'done')
    assert.equal(abort.mock.callCount(), 0)
  })
})
