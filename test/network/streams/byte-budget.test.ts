// Memory that peers may have this peer hold: charged as it arrives, shared by peer and by address.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { SwarmError } from '../../../common/errors.ts'
import { KiB, MiB } from '../../../common/units.ts'
import { sourceOf } from '../../../network/guards/source.ts'
import { createNode } from '../../../network/libp2p/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { type ByteAccount, ByteBudget } from '../../../network/streams/byte-budget.ts'
import { layFrame } from '../../../proto/frame.ts'
import { announced } from '../../../testing/announced.ts'
import { code, echoPair, echoProtocol, large, message, Swarm, until, within } from '../harness.ts'

const busy = { code: 'BUSY', retryAfterMs: 1000 }

/** A budget with a clock, and accounts whose frames are under way. */
function budgetOf(init: { total: number; perPeer: number; perHost?: number; isKnown?: (peer: string) => boolean }) {
  const clock = { now: 0 }
  const budget = new ByteBudget({ ...init, now: () => clock.now })
  const evicted: string[] = []
  const begin = (peerId: string, host: string, bytes: number): ByteAccount => {
    const account = budget.open({ peerId, host }, error => evicted.push(`${peerId}: ${error.code}`))
    account.begin()
    account.add(bytes)
    return account
  }
  return { budget, clock, evicted, begin }
}

test('slow frames make room for others, whole ones do not', () => {
  const { budget, clock, evicted, begin } = budgetOf({ total: 8 * MiB, perPeer: 8 * MiB, perHost: 8 * MiB })
  const whole = begin('whole', 'a', 4 * MiB)
  whole.end()
  begin('slow', 'b', 100 * KiB)
  const fast = begin('fast', 'c', 2 * MiB)
  clock.now = 8000
  assert.throws(() => begin('newcomer', 'd', 5 * MiB), busy)
  assert.deepEqual(evicted, ['slow: BUSY'], 'the slow frame goes first; it was not enough')
  assert.equal(budget.total, 6 * MiB)
  begin('small', 'd', 64 * KiB)
  // of a whole frame nobody knows how slow it came
  assert.equal(whole.held + fast.held, 6 * MiB)
  whole.close()
  begin('newcomer', 'd', 4 * MiB)
  assert.deepEqual(evicted, ['slow: BUSY'])
})

test('an address that holds far more than another makes room for it, whatever identities it has', () => {
  const { budget, evicted, begin } = budgetOf({ total: 16 * MiB, perPeer: 4 * MiB, perHost: 12 * MiB })
  const flood = Array.from({ length: 40 }, (_, index) => {
    try {
      return begin(`made up ${index}`, 'attacker', 1 * MiB)
    } catch (error) {
      assert.equal((error as SwarmError).code, 'BUSY')
      return null
    }
  })
  assert.equal(flood.filter(account => account !== null).length, 10, 'seven eighths of the share of one address')
  begin('second', 'attacker 2', 3 * MiB)
  assert.deepEqual(evicted, [])
  begin('honest', 'home', 3 * MiB)
  assert.deepEqual(evicted, ['made up 0: BUSY', 'made up 1: BUSY'])
  // behind the same address: those that hold far less are served at the cost of those that hold more
  const tight = budgetOf({ total: 8 * MiB, perPeer: 6 * MiB, perHost: 6 * MiB })
  tight.begin('greedy', 'home', 5 * MiB)
  tight.begin('modest', 'home', 1 * MiB)
  assert.deepEqual(tight.evicted, ['greedy: BUSY'])
  assert.ok(budget.total <= 14 * MiB)
})

test('small frames and known members find room where large ones of strangers find none', () => {
  const isKnown = (peer: string) => peer === 'member'
  const { begin } = budgetOf({ total: 64 * MiB, perPeer: 64 * MiB, perHost: 64 * MiB, isKnown })
  const whole = (peer: string, bytes: number) => begin(peer, peer, bytes).end()
  whole('a', 24 * MiB)
  whole('b', 24 * MiB)
  assert.throws(() => whole('stranger', 2 * MiB), busy)
  whole('stranger', 64 * KiB)
  whole('member', 7 * MiB)
  assert.throws(() => whole('member', 2 * MiB), busy)
})

test('addresses are counted as those who hold them', () => {
  const cases = {
    '/ip4/192.0.2.1/tcp/4000': 'ip4/192.0.2.1',
    '/ip4/192.0.2.1/tcp/4001/ws': 'ip4/192.0.2.1',
    '/ip6/::ffff:192.0.2.1/tcp/1': 'ip4/192.0.2.1',
    '/ip6/2001:db8:1:2:3:4:5:6/tcp/1': 'ip6/2001:db8:1:2',
    '/ip6/2001:db8:1:2::99/tcp/1': 'ip6/2001:db8:1:2',
    '/ip6/2001:db8::1/tcp/1': 'ip6/2001:db8:0:0',
    '/ip6/::1/tcp/1': 'ip6/0:0:0:0',
    '/ip4/192.0.2.1/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit':
      'relay/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  }
  for (const [address, source] of Object.entries(cases)) assert.equal(sourceOf(multiaddr(address)), source, address)
})

/** A peer that follows no rules of ours. */
async function stranger(address: string): Promise<{ open(): Promise<Stream> } & AsyncDisposable> {
  const privateKey = await generateIdentity()
  const libp2p = await createNode({ privateKey, listen: [], announce: [], validators: {}, selectors: {} })
  await libp2p.start()
  return {
    open: () => libp2p.dialProtocol(multiaddr(address), echoProtocol, { maxOutboundStreams: 1000 }),
    [Symbol.asyncDispose]: async () => await libp2p.stop()
  }
}

test('frames that are only announced refuse nobody and take no memory', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer({ peerBytes: 64 * MiB })
  let handled = 0
  await server.handle(echoProtocol, async stream => {
    handled++
    for (let message = await stream.receive(); message; message = await stream.receive()) await stream.send(message)
  })
  const client = await swarm.client(server)
  await client.request(server.peerId, echoProtocol, message())
  const before = process.memoryUsage().arrayBuffers
  await using liar = await stranger(server.addresses[0]!)
  const data = { length: 2 ** 28 - 1024 } as Float32Array
  const { head } = layFrame({
    body: { kind: 'forwardResponse', residualId: 'r' },
    tensors: { hidden: { dtype: 'float32', shape: [data.length], data } as never }
  })
  for (let index = 0; index < 32; index++) (await liar.open()).send(head.slice())
  await until(() => handled === 33, 'announcing 32 GiB')
  const answer = await client.request(server.peerId, echoProtocol, large(8 * MiB))
  assert.equal(answer.tensors.hidden?.data.byteLength, 8 * MiB)
  const taken = process.memoryUsage().arrayBuffers - before
  assert.ok(taken < 96 * MiB, `${taken} bytes for nothing`)
})

test('a peer sends ahead only what somebody wants to read', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const opened = Promise.withResolvers<void>()
  await server.handle(echoProtocol, async (_, { signal }) => {
    opened.resolve()
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  })
  await using flooder = await stranger(server.addresses[0]!)
  const stream = await flooder.open()
  await opened.promise
  const chunk = new Uint8Array(64 * KiB)
  let sent = 0
  // libp2p says false where the window is used up
  for (let idle = 0; idle < 20; ) {
    if (stream.writeBufferLength === 0 && stream.send(chunk)) [sent, idle] = [sent + chunk.length, 0]
    else {
      idle++
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
  assert.ok(sent < 4 * MiB, `${sent} bytes left while nobody read`)
  stream.abort(new Error('done'))
})

test('a frame that its header refuses is answered before its payload comes', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const most = 1000
  const admit = (_: unknown, layout: readonly { byteLength: number }[]): void => {
    const bytes = layout.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (bytes > most) throw new SwarmError('INVALID_ARGUMENT', `${bytes} bytes, at most ${most}`)
  }
  await server.handle(echoProtocol, async stream => await stream.send((await stream.receive())!), { admit })
  const client = await swarm.client(server)
  await client.request(server.peerId, echoProtocol, large(most))
  const before = client.traffic.sent
  const refused = client.request(server.peerId, echoProtocol, large(64 * MiB))
  await assert.rejects(within(refused, 10_000, 'the refusal'), code('INVALID_ARGUMENT', /67108864 bytes, at most 1000/))
  assert.equal(client.traffic.sent, before, 'the frame was not sent to its end')
})

test('answers that nobody fetches count, and leave when others need their memory', async () => {
  const { budget, clock, evicted } = budgetOf({ total: 8 * MiB, perPeer: 8 * MiB, perHost: 8 * MiB })
  const answer = budget.open({ peerId: 'lazy', host: 'a' }, error => evicted.push(error.code))
  answer.begin()
  answer.force(6 * MiB)
  const request = budget.open({ peerId: 'honest', host: 'b' })
  request.begin()
  assert.throws(() => request.add(4 * MiB), busy)
  clock.now = 6000
  request.add(4 * MiB)
  assert.deepEqual(evicted, ['BUSY'])
  assert.equal(budget.total, 4 * MiB)
})

test('echoes of many sizes leave nothing in the account', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const budget = Reflect.get(server, 'budget') as ByteBudget
  const stream = await client.open(server.peerId, echoProtocol)
  for (const bytes of [4, 300_000, 5 * MiB, 8]) {
    await stream.send(large(bytes))
    assert.equal((await stream.receive())?.tensors.hidden?.data.byteLength, bytes)
  }
  assert.ok(budget.total > 0)
  await stream.close()
  assert.equal(await stream.receive(), null)
  await until(() => budget.total === 0, 'giving back')
})

test('a frame that a peer announces not to take is refused before anything is sent', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  await server.announce({ ...announced, requestBytes: 1 * MiB })
  await client.directory.add(server.directory.recordOf(server.peerId)!)
  await client.request(server.peerId, echoProtocol, large(MiB - 1000))
  const { sent } = client.traffic
  const refused = client.request(server.peerId, echoProtocol, large(2 * MiB))
  await assert.rejects(
    refused,
    code('INVALID_ARGUMENT', /accepts frames of up to 1\.0 MiB .* 2\.0 MiB: send fewer rows/)
  )
  assert.equal(client.traffic.sent, sent)
})
