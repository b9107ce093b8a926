import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { test } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { createLibp2p } from 'libp2p'
import { MiB } from '../../../common/units.ts'
import { findServers } from '../../../network/discovery/discovery.ts'
import { recordKey } from '../../../network/discovery/records.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { generateSecret } from '../../../network/private/invite.ts'
import { nonceBytes, StreamCipher } from '../../../network/private/stream-cipher.ts'
import { ByteChannel } from '../../../network/streams/byte-channel.ts'
import { FramedStream } from '../../../network/streams/message-stream.ts'
import { announced as fields } from '../../../testing/announced.ts'
import { code, echoProtocol, large, loopback, message, Swarm, until } from '../harness.ts'

const { model } = fields
/** Forwards connections to a port and keeps what passes. */
class Tap implements AsyncDisposable {
  readonly #server: Server
  readonly #passed: Buffer[] = []

  constructor(port: number) {
    this.#server = createServer(inside => {
      const outside = connect(port, '127.0.0.1')
      for (const [from, to] of [
        [inside, outside],
        [outside, inside]
      ] as const) {
        from.on('data', data => this.#passed.push(data))
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
        from.pipe(to)
      }
    })
  }

  static async to(peer: Network): Promise<Tap> {
    const tap = new Tap(portOf(peer.addresses[0]!))
    tap.#server.listen(0, '127.0.0.1')
    await once(tap.#server, 'listening')
    return tap
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`
  }

  get captured(): Buffer {
    return Buffer.concat(this.#passed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
  }
}

const portOf = (address: string) => Number(/\/tcp\/(\d+)/.exec(address)![1])

/** Bits of information in a byte, at most 8. */
function entropy(bytes: Uint8Array): number {
  const counts = new Float64Array(256)
  for (const byte of bytes) counts[byte]!++
  return counts.reduce(
    (sum, count) => (count ? sum - (count / bytes.length) * Math.log2(count / bytes.length) : sum),
    0
  )
}

async function echoServer(swarm: Swarm, init: Parameters<Swarm['peer']>[0] = {}): Promise<Network> {
  const server = await swarm.peer(init)
  await server.handle(echoProtocol, async stream => {
    for (let got = await stream.receive(); got; got = await stream.receive()) await stream.send(got)
  })
  return server
}

test('a cipher gives the same stream however it is cut', () => {
  const [key, nonce] = [randomBytes(32), randomBytes(nonceBytes)]
  const plain = randomBytes(2000)
  const whole = new StreamCipher(key, nonce).update(plain)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 })), cuts => {
      const [cipher, decipher] = [new StreamCipher(key, nonce), new StreamCipher(key, nonce)]
      const out: Uint8Array[] = []
      let at = 0
      for (const cut of [...cuts, plain.length]) {
        out.push(cipher.update(plain.subarray(at, at + cut)))
        at += cut
      }
      assert.deepEqual(Buffer.concat(out), Buffer.from(whole))
      assert.deepEqual(Buffer.concat(out.map(piece => decipher.update(piece))), plain)
    })
  )
})

test('nothing that passes between members can be read: no protocol, no name, no model', async () => {
  const words = ['multistream', '/noise', '/yamux', 'swarmtune', 'ipfs', 'kad', model.slice(0, 16), 'tiny']
  const capture = async (secret: Uint8Array | undefined) => {
    await using swarm = new Swarm()
    const settings = secret ? { secret } : {}
    const server = await echoServer(swarm, settings)
    await server.announce(fields)
    await using tap = await Tap.to(server)
    const client = await swarm.peer({ listen: [], join: [tap.address], ...settings })
    const [announced] = await findServers(client, model)
    assert.equal(announced?.peerId, server.peerId)
    await client.request(server.peerId, echoProtocol, large(16_384))
    return tap.captured
  }
  const open = await capture(undefined)
  // the test can fail: an open swarm shows the beginning of its handshakes
  assert.ok(open.includes('/multistream/1.0.0') && open.includes('/noise'))
  const hidden = await capture(generateSecret())
  assert.ok(hidden.length > 32_768, `${hidden.length} bytes`)
  for (const word of words) assert.ok(!hidden.includes(word), word)
  assert.ok(entropy(hidden) > 7.9, `${entropy(hidden)} bits per byte`)
})

test('who has no secret or another one gets no connection, no answer of the DHT, and not one byte but the nonce', async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  const server = await echoServer(swarm, { secret })
  await server.announce(fields)
  const seen = new Set<string>()
  server.onPeer(peer => seen.add(peer))
  for (const other of [undefined, generateSecret()]) {
    const settings = { listen: [], join: server.addresses, ...(other && { secret: other }) }
    const stranger = await createNetwork(settings)
    const expected = other ? /^no peer to join is in this private swarm/ : /^no peer to join is a peer of an open swarm/
    await assert.rejects(stranger.start(), code('UNREACHABLE', expected))
    await stranger.stop()

    const serving = await swarm.peer(other ? { secret: other } : {})
    const options = { addresses: server.addresses }
    await assert.rejects(serving.request(server.peerId, echoProtocol, message(), options), code('UNREACHABLE'))
    assert.equal(await serving.dht.get(recordKey(server.peerId), AbortSignal.timeout(2000)), null)
    assert.deepEqual(await findServers(serving, model, { signal: AbortSignal.timeout(5000) }), [])
  }
  const member = await swarm.client(server, { secret })
  await member.request(server.peerId, echoProtocol, message())
  assert.deepEqual([...seen], [member.peerId])

  const socket = connect(portOf(server.addresses[0]!), '127.0.0.1')
  const received: Buffer[] = []
  socket.on('data', data => received.push(data))
  socket.on('error', () => {})
  socket.write(Buffer.concat([randomBytes(nonceBytes), Buffer.from('\x13/multistream/1.0.0\n')]))
  await new Promise(closed => socket.once('close', closed))
  assert.equal(Buffer.concat(received).length, nonceBytes)
})

test('members of one swarm answer each other, and tensors arrive whole', async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  const server = await echoServer(swarm, { secret })
  const client = await swarm.client(server, { secret })
  const sent = large(8 * MiB)
  const answers = await Promise.all(
    [4, 100, 70_000].map(size => client.request(server.peerId, echoProtocol, large(size)))
  )
  assert.deepEqual(
    answers.map(answer => answer.tensors.hidden?.data.byteLength),
    [4, 100, 70_000]
  )
  const answer = await client.request(server.peerId, echoProtocol, sent)
  assert.deepEqual(answer.tensors.hidden?.data, sent.tensors.hidden?.data)
})

test("a peer with libp2p's own pre-shared key is a member", async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  const server = await echoServer(swarm, { secret })
  const psk = new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${Buffer.from(secret).toString('hex')}`)
  const plain = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionProtector: preSharedKey({ psk })
  })
  try {
    const raw = await plain.dialProtocol(multiaddr(server.addresses[0]!), echoProtocol)
    const init = { peerId: 'server', maxFrameBytes: 64 * MiB, direction: 'outbound' as const }
    const stream = new FramedStream(new ByteChannel(raw, 'server'), init)
    const [answer] = await Promise.all([stream.receive(), stream.send(large(3 * MiB))])
    assert.deepEqual(answer?.tensors.hidden?.data, large(3 * MiB).tensors.hidden?.data)
    await stream.finish()
  } finally {
    await plain.stop()
  }
})

test('a new secret shuts out whoever has the old one', async () => {
  await using swarm = new Swarm()
  const [old, fresh] = [generateSecret(), generateSecret()]
  const before = await swarm.peer({ secret: old })
  const listen = [before.addresses[0]!.replace(/\/p2p\/.*/, '')]
  await before.stop()
  const after = await swarm.peer({ secret: fresh, listen })
  const late = await createNetwork({ listen: [], join: listen, secret: old })
  await assert.rejects(late.start(), code('UNREACHABLE', /the secret of the same invite/))
  await late.stop()
  const member = await swarm.peer({ listen: [], join: listen, secret: fresh })
  assert.ok((await member.ping(after.peerId)) >= 0)
})

test('hundreds of strangers that say nothing right leave a private peer as it was', async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  const server = await echoServer(swarm, { secret, listen: loopback })
  const port = portOf(server.addresses[0]!)
  // each is refused at its first wrong byte; libp2p lets 200 connections a second in from one host
  let refused = 0
  for (let round = 0; round < 10; round++) {
    const sockets = Array.from({ length: 40 }, () => {
      const socket = connect(port, '127.0.0.1', () => socket.write(randomBytes(nonceBytes + 200)))
      socket.on('error', () => {})
      socket.on('data', () => {})
      return new Promise<void>(closed => socket.once('close', () => closed())).then(() => refused++)
    })
    await Promise.all(sockets)
  }
  assert.equal(refused, 400)
  let client: Network | undefined
  await until(async () => {
    client = await swarm.client(server, { secret }).catch(() => undefined)
    return client
  }, 'a member getting in')
  await client!.request(server.peerId, echoProtocol, message())
})
