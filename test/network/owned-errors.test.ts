// Errors of the libraries below: each has an owner, so that none ends the process. node:test fails where one reaches it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import dgram from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { silent } from '../../common/logger.ts'
import { second } from '../../common/units.ts'
import { LocalPeers } from '../../network/discovery/local-peers.ts'
import { createNode, type SwarmLibp2p } from '../../network/libp2p/node.ts'
import { createNetwork } from '../../network/node.ts'
import { generateIdentity } from '../../network/private/identity.ts'
import { generateSecret } from '../../network/private/invite.ts'
import { MetricsPage } from '../../server/observe/metrics-page.ts'
import { code, loopback, Swarm, within } from './harness.ts'

const listen = [...loopback, '/ip4/127.0.0.1/tcp/0/ws']

const upgrade =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

/** Frames that RFC 6455 forbids, each as a client could send it. */
const badFrames: Record<string, readonly number[]> = {
  'reserved bits': [0xf2, 0x80, 1, 2, 3, 4],
  'no mask': [0x82, 0x01, 0x00],
  'an opcode that is none': [0x83, 0x80, 1, 2, 3, 4],
  'a continuation of nothing': [0x80, 0x80, 1, 2, 3, 4],
  'a control frame in parts': [0x09, 0x80, 1, 2, 3, 4],
  'a control frame that is too long': [0x89, 0xfe, 0x00, 0xff, 1, 2, 3, 4],
  'a length above 2^53': [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
  'a text that is no UTF-8': [0x81, 0x81, 0, 0, 0, 0, 0xff],
  'a close code that is none': [0x88, 0x82, 0, 0, 0, 0, 0x00, 0x01]
}

function portOf(addresses: readonly string[], kind: '/ws' | '/p2p'): number {
  const match = addresses.map(text => new RegExp(`/tcp/(\\d+)${kind}/`).exec(text)).find(found => found !== null)
  return Number(match![1])
}

/** A TCP connection that a stranger has opened. */
async function stranger(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

function closed(socket: Socket, what: string): Promise<void> {
  const end = new Promise<void>(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve())))
  socket.resume()
  return within(end, 3 * second, `the end of ${what}`)
}

for (const [kind, secret] of [
  ['an open', undefined],
  ['a private', generateSecret()]
] as const) {
  test(`a malformed WebSocket frame ends its connection and nothing else, in ${kind} swarm`, async () => {
    await using swarm = new Swarm()
    const peer = await swarm.peer({ listen, secret })
    const port = portOf(peer.addresses, '/ws')
    await Promise.all(
      Object.entries(badFrames).map(async ([what, bytes]) => {
        const socket = await stranger(port)
        socket.write(upgrade)
        await once(socket, 'data')
        socket.write(Uint8Array.from(bytes))
        await closed(socket, what)
      })
    )
    if (secret) {
      // not enciphered with the secret: the connection that is given up is closed, not left open
      const talks = await stranger(port)
      talks.write(upgrade)
      await once(talks, 'data')
      talks.write(Uint8Array.from([0x82, 0xfe, 0x00, 0x80, 0, 0, 0, 0, ...new Array(128).fill(0xff)]))
      await closed(talks, 'a connection without the secret')
    }
    // no HTTP, and a reset in the middle of it
    const garbage = await stranger(port)
    garbage.write('\x16\x03\x01 hello')
    await closed(garbage, 'garbage')
    const resets = await stranger(port)
    resets.write(upgrade.slice(0, 40))
    resets.resetAndDestroy()
    // the peer serves who comes by either way
    for (const transport of ['ws', 'tcp'] as const) {
      const join = peer.addresses.filter(text => text.includes('/ws/') === (transport === 'ws'))
      const client = await swarm.client(peer, { secret, transports: [transport], join })
      assert.ok((await client.ping(peer.peerId)) >= 0, transport)
    }
  })
}

/** What a server says after the handshake of a WebSocket, or instead of it. */
const badServers: Record<string, { readonly extensions?: string; readonly says: readonly number[] | 'no handshake' }> =
  {
    'reserved bits': { says: [0xf2, 1, 2] },
    'a frame with a mask': { says: [0x82, 0x81, 1, 2, 3, 4, 5] },
    'a length above 2^53': { says: [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255] },
    'a close code that is none': { says: [0x88, 2, 0, 1] },
    'an extension nobody asked for': {
      extensions: 'permessage-deflate; server_max_window_bits=0',
      says: [0xc2, 3, 1, 2, 3]
    },
    'what does not inflate': { extensions: 'permessage-deflate', says: [0xc2, 5, 1, 2, 3, 4, 5] },
    'no handshake': { says: 'no handshake' }
  }

test('a server that speaks no WebSocket fails the dial, with why, and nothing else', async () => {
  await Promise.all(
    Object.entries(badServers).map(async ([what, { extensions, says }]) => {
      const server = createServer(socket => {
        socket.on('error', () => {})
        socket.once('data', (data: Buffer) => {
          if (says === 'no handshake') {
            socket.end('HTTP/1.1 200 OK\r\n\r\n')
            return
          }
          const key = /Sec-WebSocket-Key: (\S+)/i.exec(data.toString('latin1'))![1]
          const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
          const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
          if (extensions !== undefined) lines.push(`Sec-WebSocket-Extensions: ${extensions}`)
          socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
          socket.write(Uint8Array.from(says))
        })
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const network = await createNetwork({
        listen: [],
        transports: ['ws'],
        join: [`/ip4/127.0.0.1/tcp/${port}/ws`]
      })
      const reason = says === 'no handshake' ? /no WebSocket answers there/ : /reset|closed/
      try {
        await assert.rejects(network.start(), code('UNREACHABLE', reason), what)
      } finally {
        await network.stop()
        server.close()
      }
    })
  )
})

test('a connection that never says a word does not keep a peer with WebSockets from stopping', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer({ listen })
  const mute = await stranger(portOf(peer.addresses, '/ws'))
  const half = await stranger(portOf(peer.addresses, '/ws'))
  half.write(upgrade.slice(0, 40))
  await within(peer.stop(), 5 * second, 'stopping')
  await Promise.all([closed(mute, 'a mute connection'), closed(half, 'half a request')])
})

test('a reset in the middle of any handshake over TCP ends nothing else', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer({ listen })
  const port = portOf(peer.addresses, '/p2p')
  for (const bytes of ['', '\x13/multistream/1.0.0\n', '\x13/multistream/1.0.0\n\x07/noise\n', '\x00\x00\x00']) {
    const socket = await stranger(port)
    socket.write(bytes)
    socket.resetAndDestroy()
  }
  const client = await swarm.client(peer)
  assert.ok((await client.ping(peer.peerId)) >= 0)
})

test('listening sockets that cannot accept a connection go on listening', async () => {
  const libp2p = await createNode({
    privateKey: await generateIdentity(),
    listen,
    announce: [],
    validators: {},
    selectors: {}
  })
  await libp2p.start()
  try {
    const { transportManager } = (
      libp2p as unknown as { components: { transportManager: { getListeners(): { server: Server }[] } } }
    ).components
    const listeners = transportManager.getListeners().filter(({ server }) => server instanceof EventEmitter)
    assert.equal(listeners.length, 2)
    for (const { server } of listeners) {
      server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' }))
      assert.ok(server.listening)
    }
  } finally {
    await libp2p.stop()
  }
})

test('errors of the multicast socket are owned, also after it was told to stop', async t => {
  const sockets: dgram.Socket[] = []
  const create = dgram.createSocket
  t.mock.method(dgram, 'createSocket', (...options: Parameters<typeof create>) => {
    const socket = create(...options)
    sockets.push(socket)
    return socket
  })
  const libp2p = (await createNode({
    privateKey: await generateIdentity(),
    listen: [],
    announce: [],
    validators: {},
    selectors: {}
  })) as SwarmLibp2p
  const peers = new LocalPeers({ libp2p, logger: silent }, { tag: '_swarmtune-test._udp.local', answers: false })
  await peers.start()
  assert.equal(sockets.length, 1)
  const fail = () =>
    sockets[0]!.emit('error', Object.assign(new Error('bind EACCES'), { code: 'EACCES', syscall: 'bind' }))
  fail()
  await peers.stop()
  fail()
})

test('the metrics page outlives readers that go away, garbage, and connections that cannot be accepted', async t => {
  let server: Server | undefined
  t.mock.method(
    EventEmitter.prototype,
    'once',
    function (this: EventEmitter, ...[name, listener]: [string, () => void]) {
      // the page's HTTP server waits for its first error by `once`
      if (name === 'error' && 'requestTimeout' in this) server = this as unknown as Server
      return this.on(name, function wrapped(this: EventEmitter, ...values: unknown[]) {
        this.off(name, wrapped)
        Reflect.apply(listener, this, values)
      })
    }
  )
  const page = new MetricsPage({ metrics: { page: async () => 'x 1\n' } }, { port: 0, healthy: () => true })
  await page.start()
  t.mock.restoreAll()
  try {
    for (const text of ['garbage\r\n\r\n', 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /metrics HT']) {
      const socket = await stranger(page.port)
      socket.write(text)
      socket.resetAndDestroy()
    }
    for (let i = 0; i < 3; i++) server!.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    assert.equal(await (await fetch(`http://127.0.0.1:${page.port}/metrics`)).text(), 'x 1\n')
  } finally {
    await page.stop()
  }
})
