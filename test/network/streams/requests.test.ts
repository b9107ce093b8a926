import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPeersFault } from '../../../client/remote/passes/span-request.ts'
import { SwarmError } from '../../../common/errors.ts'
import { MiB } from '../../../common/units.ts'
import type { Message } from '../../../proto/frame.ts'
import { aborted, code, echoPair, echoProtocol, large, message, Swarm, within } from '../harness.ts'

test('what a handler throws reaches the caller with its code, without a stack', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle('/swarmtune/test-fail/1.0.0', async stream => {
    const request = await stream.receive()
    if (request?.body.kind === 'infoRequest') throw new SwarmError('DRAINING', 'leaving', { retryable: false })
    throw new TypeError('a bug')
  })
  const client = await swarm.client(server)
  const request = (sent: Message) => client.request(server.peerId, '/swarmtune/test-fail/1.0.0', sent)
  await assert.rejects(request({ body: { kind: 'infoRequest' }, tensors: {} }), (error: SwarmError) => {
    assert.deepEqual([error.code, error.message, error.retryable], ['DRAINING', 'leaving', false])
    return true
  })
  await assert.rejects(request(message()), code('INTERNAL', /^a bug$/))
})

test('a refusal reaches a caller that is still sending', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle('/swarmtune/test-refuse/1.0.0', async () => {
    throw new SwarmError('BUSY', 'no room')
  })
  const client = await swarm.client(server)
  const request = client.request(server.peerId, '/swarmtune/test-refuse/1.0.0', large(48 * MiB))
  await assert.rejects(within(request, 5000, 'the refusal'), code('BUSY', /no room/))
})

test('a frame larger than the handler reads is refused, and so is an answer larger than the caller reads', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle(
    '/swarmtune/test-small/1.0.0',
    async stream => {
      await stream.receive()
      await stream.send(large(100_000))
    },
    { maxFrameBytes: 10_000 }
  )
  const client = await swarm.client(server)
  const request = (size: number, maxFrameBytes: number) =>
    client.request(server.peerId, '/swarmtune/test-small/1.0.0', large(size), { maxFrameBytes })
  await assert.rejects(request(20 * MiB, MiB), code('BAD_FRAME', /at most 10000/))
  await assert.rejects(request(1000, 50_000), code('BAD_FRAME', /at most 50000/))
  await request(1000, 200_000)
})

test('a caller that runs out of time or gives up stops the handler', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const stopped: Promise<void>[] = []
  const begun = Promise.withResolvers<void>()
  await server.handle('/swarmtune/test-wait/1.0.0', async (stream, { signal }) => {
    await stream.receive()
    stopped.push(aborted(signal))
    begun.resolve()
    await aborted(signal)
  })
  const client = await swarm.client(server)
  const request = (options: { timeoutMs?: number; signal?: AbortSignal }) =>
    client.request(server.peerId, '/swarmtune/test-wait/1.0.0', message(), options)

  await assert.rejects(request({ timeoutMs: 300 }), code('DEADLINE', /longer than 300 ms/))
  const controller = new AbortController()
  const given = request({ signal: controller.signal })
  await begun.promise
  setTimeout(() => controller.abort(), 50)
  await assert.rejects(given, code('ABORTED'))
  await assert.rejects(request({ signal: AbortSignal.abort() }), code('ABORTED'))
  assert.equal(stopped.length, 2)
  await within(Promise.all(stopped), 2000, 'stopping the handlers')
})

test('a peer that stops ends the requests it was serving with UNREACHABLE', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const begun = Promise.withResolvers<void>()
  await server.handle('/swarmtune/test-stop/1.0.0', async (_stream, { signal }) => {
    begun.resolve()
    await aborted(signal)
  })
  const client = await swarm.client(server)
  const request = client.request(server.peerId, '/swarmtune/test-stop/1.0.0', message())
  await begun.promise
  await Promise.all([server.stop(), assert.rejects(within(request, 3000, 'the request'), code('UNREACHABLE'))])
  await server.stop()
  await assert.rejects(client.request(server.peerId, echoProtocol, message(), { timeoutMs: 3000 }), code('UNREACHABLE'))
})

test('a handler that returns without a word is an error for the caller', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle('/swarmtune/test-silent/1.0.0', async () => {})
  const client = await swarm.client(server)
  const request = client.request(server.peerId, '/swarmtune/test-silent/1.0.0', message())
  await assert.rejects(request, code('UNREACHABLE', /without an answer/))
})

test('a protocol that a peer does not speak, a peer that is not there, an id that is none', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const request = (peer: string, protocol = echoProtocol, addresses: string[] = []) =>
    client.request(peer, protocol, message(), { addresses, timeoutMs: 5000 })
  await assert.rejects(request(server.peerId, '/swarmtune/none/9.0.0'), error => {
    code('UNSUPPORTED', /none\/9\.0\.0/)(error)
    // a server that was just started again answers so: clients go on with another
    assert.ok(isPeersFault(error))
    return true
  })
  await assert.rejects(request('nobody'), code('INVALID_ARGUMENT', /'nobody' is not a peer id/))
  const stranger = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
  await assert.rejects(
    request(stranger, echoProtocol, ['/ip4/127.0.0.1/tcp/9']),
    code('UNREACHABLE', /127\.0\.0\.1\/tcp\/9.*ECONNREFUSED/)
  )
  await assert.rejects(request(server.peerId, echoProtocol, ['127.0.0.1:9']), code('INVALID_ARGUMENT', /multiaddr/))
  // another peer answers at the address: not the one that was asked for
  const { addresses } = server
  const impostor = addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  await assert.rejects(request(stranger, echoProtocol, impostor), code('UNREACHABLE'))
  assert.ok((await client.ping(server.peerId)) < 1000)
})
