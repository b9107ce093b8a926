import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { Uint8ArrayList } from 'uint8arraylist'
import { silent } from '../../common/logger.ts'
import { MiB } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { noiseCrypto } from '../../network/libp2p/noise-crypto.ts'
import { ByteChannel } from '../../network/streams/byte-channel.ts'
import { FramedStream } from '../../network/streams/message-stream.ts'
import { protocols } from '../../proto/protocols.ts'
import { announced } from '../../testing/announced.ts'
import { code, echoPair, echoProtocol, large, loopback, message, Swarm, until } from './harness.ts'

/** A libp2p peer with nothing of ours in its stack. */
function plainPeer(nodeInfo?: { name: string; version: string }): Promise<Libp2p> {
  return createLibp2p({
    ...(nodeInfo && { nodeInfo }),
    addresses: { listen: loopback },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
}

const init = { peerId: 'peer', maxFrameBytes: 64 * MiB }

test("a peer with libp2p's own noise, yamux and negotiation understands ours", async () => {
  await using swarm = new Swarm()
  const { server } = await echoPair(swarm)
  const plain = await plainPeer()
  try {
    const raw = await plain.dialProtocol(multiaddr(server.addresses[0]!), echoProtocol)
    const stream = new FramedStream(new ByteChannel(raw, 'server'), { ...init, direction: 'outbound' })
    for (const size of [4, 16_384, 8 * MiB]) {
      const [answer] = await Promise.all([stream.receive(), stream.send(large(size))])
      assert.deepEqual(answer?.tensors.hidden?.data, large(size).tensors.hidden?.data)
    }
    await stream.finish()
  } finally {
    await plain.stop()
  }
})

test("our requests, which negotiate without waiting, are understood by libp2p's own listener", async () => {
  await using swarm = new Swarm()
  const plain = await plainPeer()
  try {
    await plain.handle(echoProtocol, async raw => {
      const stream = new FramedStream(new ByteChannel(raw, 'client'), { ...init, direction: 'inbound' })
      await stream.send((await stream.receive())!)
      await stream.finish()
    })
    const client = await swarm.peer({ listen: [], join: plain.getMultiaddrs().map(String) })
    // at once on a new connection, when the listener may not have looked at it yet
    const sizes = [4, 8 * MiB, 100, 16_384]
    const answers = await Promise.all(
      sizes.map(size => client.request(plain.peerId.toString(), echoProtocol, large(size)))
    )
    assert.deepEqual(
      answers.map(answer => answer.tensors.hidden?.data.byteLength),
      sizes
    )
  } finally {
    await plain.stop()
  }
})

test('first requests of many new connections all arrive', async () => {
  await using swarm = new Swarm()
  const { server } = await echoPair(swarm)
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = await swarm.peer({ listen: [] })
      const { addresses, peerId } = server
      await client.request(peerId, echoProtocol, message(), { addresses, timeoutMs: 10_000 })
    })
  )
})

test('the cipher writes and reads what the one of libp2p does, and refuses what was changed', () => {
  const bytes = (data: { subarray(): Uint8Array }) => Buffer.from(data.subarray())
  for (const size of [0, 1, 511, 512, 1199, 1200, 16_384, 65_519]) {
    const [plaintext, nonce, additional, key] = [randomBytes(size), randomBytes(12), randomBytes(0), randomBytes(32)]
    const ours = noiseCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, additional, key)
    const theirs = defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, additional, key)
    assert.ok(bytes(ours).equals(bytes(theirs)), `${size} bytes`)
    const whole = bytes(ours)
    const cut = new Uint8ArrayList(whole.subarray(0, 5), whole.subarray(5)) as never
    for (const ciphertext of [Buffer.from(whole), cut]) {
      const opened = noiseCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, additional, key, new Uint8Array(size))
      assert.ok(bytes(opened).equals(plaintext), `${size} bytes`)
    }
    const changed = Buffer.from(whole)
    changed[size >> 1]! ^= 1
    assert.throws(() => noiseCrypto.chaCha20Poly1305Decrypt(changed, nonce, additional, key, new Uint8Array(size)))
  }
})

test('a peer of another release: the error and the log name both versions', async () => {
  const logged: unknown[] = []
  const logger = { ...silent, info: (fields: unknown) => logged.push(fields) }
  await using swarm = new Swarm()
  // what a later release is to this one: another version of a protocol, and of itself
  const later = await plainPeer({ name: 'swarmtune', version: '9.9.0' })
  const peerId = later.peerId.toString()
  try {
    await later.handle('/swarmtune/inference/9.0.0', () => {})
    const client = await swarm.peer({ listen: [], join: later.getMultiaddrs().map(String), logger })
    await until(() => logged.length > 0, 'the release in the log')
    assert.deepEqual(logged, [{ peer: peerId, theirs: '9.9.0', ours: version }])
    const warned: unknown[] = []
    const server = await swarm.peer({
      logger: { ...silent, warn: (_: unknown, message: string) => warned.push(message) }
    })
    await later.dial(multiaddr(server.addresses[0]!))
    await until(() => warned.length > 0, 'the release in the log of a server')
    assert.deepEqual(warned, [`a peer runs swarmtune 9.9.0, this is ${version}: requests between the two may fail`])
    await assert.rejects(client.request(peerId, protocols.inference, message()), error => {
      const versions = `inference/9.0.0 (swarmtune 9.9.0), this build inference/2.0.0 (swarmtune ${version})`
      code('UNSUPPORTED')(error)
      assert.equal((error as Error).message, `${peerId} speaks ${versions}: update the older of the two`)
      return true
    })
  } finally {
    await later.stop()
  }
})

test('a server announces the protocols that the first release did not have', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle(protocols.forward, async () => {})
  await server.announce(announced)
  assert.equal(server.directory.get(server.peerId)?.protocols, undefined)
  await server.handle('/swarmtune/inference/9.0.0', async () => {})
  await server.announce(announced)
  assert.deepEqual(server.directory.get(server.peerId)?.protocols, ['inference/9.0.0'])
})
