// Places for connections: who makes room when strangers take many.
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { connectionLimits } from '../../../network/constants.ts'
import { ConnectionGuard } from '../../../network/guards/connection-guard.ts'
import { echoPair, echoProtocol, message, Swarm, within } from '../harness.ts'

const limits = { pendingPerHost: 3, pending: 6, perHost: 4, connections: 8, keptForKnown: 2 }

/** A guard, sockets that come to it, and those that it has closed. */
function guardOf(isKnown: (peer: string) => boolean = () => false) {
  const guard = new ConnectionGuard({ ...limits, isKnown })
  const closed: string[] = []
  let port = 0
  const arrive = (remoteAddress: string): (() => void) => {
    const remotePort = ++port
    const ends: (() => void)[] = []
    const destroy = () => {
      closed.push(`${remoteAddress}:${remotePort}`)
      for (const end of ends) end()
    }
    guard.arrived({ remoteAddress, remotePort, destroy, once: (_, listener) => ends.push(listener) })
    const remoteAddr = multiaddr(`/ip4/${remoteAddress}/tcp/${remotePort}`)
    return () => guard.upgraded(null as never, { remoteAddr })
  }
  const open = (peer: string, address: string, { streams = 0, direction = 'inbound' as const } = {}) => {
    const remoteAddr = multiaddr(`/ip4/${address}/tcp/${++port}`)
    const connection = {
      remotePeer: peer,
      remoteAddr,
      direction,
      streams: Array(streams).fill({}),
      timeline: { open: port },
      abort: () => closed.push(peer)
    }
    guard.opened(connection as never)
    return connection
  }
  return { guard, closed, arrive, open }
}

test('sockets that say nothing make room for newcomers: of their own address first, then of the fullest', () => {
  const { guard, closed, arrive } = guardOf()
  for (let index = 0; index < 5; index++) arrive('192.0.2.1')
  assert.deepEqual(closed, ['192.0.2.1:1', '192.0.2.1:2'])
  const upgraded = arrive('192.0.2.2')
  assert.equal(guard.pending, 4)
  upgraded()
  assert.equal(guard.pending, 3)
  for (const host of [3, 4, 5, 6]) arrive(`192.0.2.${host}`)
  assert.equal(guard.pending, 6)
  assert.deepEqual(closed.slice(2), ['192.0.2.1:3'], 'the address that holds most')
})

test('addresses of known members are the last to make room', () => {
  const { closed, arrive, open } = guardOf(peer => peer === 'member')
  open('member', '192.0.2.1')
  arrive('192.0.2.1')
  for (const host of [2, 3, 4, 5, 6, 7]) arrive(`192.0.2.${host}`)
  assert.deepEqual(closed, ['192.0.2.2:3'])
})

test('an address that holds many connections loses idle ones; what is in use stays', () => {
  const { guard, closed, open } = guardOf()
  for (const [index, streams] of [1, 0, 1, 0, 0].entries()) open(`a${index}`, '192.0.2.1', { streams })
  assert.deepEqual(closed, ['a1'])
  for (const index of [5, 6, 7]) open(`a${index}`, '192.0.2.1', { streams: 1 })
  assert.deepEqual(closed, ['a1', 'a3', 'a4', 'a7'], 'where all are in use the newcomer goes')
  assert.equal(guard.connections, 4)
})

test('strangers of many addresses leave places for known members, and never cost one its place', () => {
  const { guard, closed, open } = guardOf(peer => peer.startsWith('member'))
  for (let index = 0; index < 9; index++) open(`s${index}`, `192.0.2.${index}`)
  assert.equal(closed.length, 3)
  open('member 1', '192.0.2.100')
  open('member 2', '192.0.2.101')
  open('member 3', '192.0.2.102')
  assert.equal(guard.connections, 8)
  for (let index = 0; index < 9; index++) open(`t${index}`, `198.51.100.${index}`)
  assert.ok(closed.every(peer => !peer.startsWith('member')))
  assert.equal(guard.connections, 8)
  // those that this peer has opened are not touched either
  const own = open('own', '192.0.2.200', { direction: 'outbound' as never })
  for (let index = 0; index < 9; index++) open(`u${index}`, `198.51.100.${index}`)
  assert.ok(!closed.includes('own'))
  guard.closed(own as never)
})

/** Keeps connections half open: they say nothing, and come again where they are closed. */
async function keepHalfOpen(port: number, count: number, localAddress: string): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  let ends = false
  const begin = (): Promise<void> =>
    new Promise(resolve => {
      const socket = connect({ port, host: '127.0.0.1', localAddress })
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('connect', resolve)
      socket.once('close', () => {
        sockets.delete(socket)
        resolve()
        setTimeout(() => !ends && void begin(), 20)
      })
    })
  await Promise.all(Array.from({ length: count }, begin))
  return {
    async [Symbol.asyncDispose]() {
      ends = true
      await Promise.all(
        [...sockets].map(socket => new Promise(resolve => socket.once('close', resolve) && socket.destroy()))
      )
    }
  }
}

const isLinux = process.platform === 'linux'

test('half-open connections of one address keep no newcomer out', { skip: !isLinux && 'no 127.0.0.77' }, async () => {
  for (const secret of [undefined, new Uint8Array(32).fill(7)]) {
    await using swarm = new Swarm()
    const server = await swarm.peer({
      listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
      ...(secret && { secret })
    })
    await server.handle(echoProtocol, async stream => await stream.send((await stream.receive())!))
    for (const kind of secret ? ['/tcp/'] : ['/tcp/', '/ws/']) {
      const address = server.addresses.find(text => text.includes('/ws/') === (kind === '/ws/'))!
      const port = Number(/tcp\/(\d+)/.exec(address)![1])
      await using _ = await keepHalfOpen(port, 2 * connectionLimits.pendingPerHost + 30, '127.0.0.77')
      for (let index = 0; index < 2; index++) {
        const client = swarm.peer({ listen: [], join: [address], ...(secret && { secret }) })
        const joined = await within(client, 10_000, 'joining')
        await joined.request(server.peerId, echoProtocol, message())
        await joined.stop()
      }
    }
  }
})

test('a newcomer gets in beside half-open connections of its own address', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const port = Number(/tcp\/(\d+)/.exec(server.addresses[0]!)![1])
  await using _ = await keepHalfOpen(port, connectionLimits.pendingPerHost + 30, '127.0.0.1')
  const second = await within(swarm.client(server), 10_000, 'joining')
  await second.request(server.peerId, echoProtocol, message())
  await client.request(server.peerId, echoProtocol, message())
})
