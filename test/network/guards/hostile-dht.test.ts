// What one stranger says to the DHT of a peer: bounded before it is decoded, counted by who says it, and no answer fails for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Key } from 'interface-datastore'
import protobuf from 'protobufjs/minimal.js'
import { minute, second } from '../../../common/units.ts'
import { version } from '../../../common/version.ts'
import { connectedHost, connectedSource } from '../../../network/addresses.ts'
import {
  maxAddressesPerPeer,
  maxDhtRequestBytes,
  maxKeysPerPeer,
  maxProvidersTold
} from '../../../network/constants.ts'
import { seal } from '../../../network/discovery/announcement.ts'
import { modelKey, recordKey } from '../../../network/discovery/records.ts'
import { BoundedStore } from '../../../network/guards/bounded-store.ts'
import { guardProviders } from '../../../network/guards/dht-guard.ts'
import { fairly } from '../../../network/guards/fairly.ts'
import { limitMessages } from '../../../network/guards/message-limit.ts'
import { createNode, type SwarmLibp2p } from '../../../network/libp2p/node.ts'
import type { Network } from '../../../network/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { dhtProtocol } from '../../../proto/protocols.ts'
import { announced } from '../../../testing/announced.ts'
import { loopback, Swarm, until, within } from '../harness.ts'

const types = { PUT_VALUE: 0, GET_VALUE: 1, ADD_PROVIDER: 2, GET_PROVIDERS: 3, FIND_NODE: 4 } as const

interface Said {
  readonly type: keyof typeof types
  readonly key: Uint8Array
  readonly record?: Uint8Array
  readonly closer?: readonly Uint8Array[]
  readonly providers?: readonly Uint8Array[]
}

/** A libp2p `Message.Peer`. */
function peerInfo(id: Uint8Array, addresses: readonly Uint8Array[]): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x0a).bytes(id)
  for (const address of addresses) writer.uint32(0x12).bytes(address)
  return writer.finish()
}

/** A message of the DHT with its length before it (https://github.com/libp2p/specs/tree/master/kad-dht#rpc-messages). */
function encode({ type, key, record, closer = [], providers = [] }: Said): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x08).int32(types[type]).uint32(0x12).bytes(key)
  if (record) writer.uint32(0x1a).bytes(record)
  for (const peer of closer) writer.uint32(0x42).bytes(peer)
  for (const peer of providers) writer.uint32(0x4a).bytes(peer)
  return protobuf.Writer.create().bytes(writer.finish()).finish()
}

/** A libp2p `Record`. */
const recordOf = (key: Uint8Array, value: Uint8Array) =>
  protobuf.Writer.create().uint32(0x0a).bytes(key).uint32(0x12).bytes(value).finish()

/** Who speaks to the DHT of a peer as it likes. */
class Stranger {
  readonly node: SwarmLibp2p
  readonly #to: Network

  constructor(node: SwarmLibp2p, to: Network) {
    this.node = node
    this.#to = to
  }

  static async meet(to: Network): Promise<Stranger> {
    const node = await createNode({
      privateKey: await generateIdentity(),
      listen: [],
      announce: [],
      validators: {},
      selectors: {}
    })
    await node.start()
    return new Stranger(node, to)
  }

  get id(): Uint8Array {
    return this.node.peerId.toMultihash().bytes
  }

  async open(protocol: string): Promise<Stream> {
    const connection = await this.node.dial(multiaddr(this.#to.addresses[0]!))
    return await connection.newStream(protocol)
  }

  /** The bytes of the answer, its length before it; none where the stream is reset or ended instead. */
  async say(bytes: Uint8Array, protocol = dhtProtocol): Promise<Uint8Array> {
    const stream = await this.open(protocol)
    const answer: Uint8Array[] = []
    const done = Promise.withResolvers<void>()
    stream.addEventListener('message', ({ data }) => {
      answer.push(data.subarray())
      done.resolve()
    })
    stream.addEventListener('close', () => done.resolve())
    stream.addEventListener('remoteCloseWrite', () => done.resolve())
    stream.send(bytes)
    void stream.close().catch(() => {})
    await within(done.promise, 5 * second, 'an answer')
    return new Uint8Array(Buffer.concat(answer))
  }

  /** How many providers of a key the peer names. */
  async providers(key: Uint8Array): Promise<{ readonly id: Uint8Array; readonly addresses: number }[]> {
    const answer = await this.say(encode({ type: 'GET_PROVIDERS', key }))
    assert.ok(answer.length > 0, 'the look-up of providers failed')
    const reader = protobuf.Reader.create(answer)
    reader.uint32()
    const found: { id: Uint8Array; addresses: number }[] = []
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      if (tag !== 0x4a) {
        reader.skipType(tag & 7)
        continue
      }
      const end = reader.uint32() + reader.pos
      const peer = { id: new Uint8Array(), addresses: 0 }
      while (reader.pos < end) {
        if (reader.uint32() === 0x0a) peer.id = Uint8Array.from(reader.bytes())
        else {
          reader.bytes()
          peer.addresses++
        }
      }
      found.push(peer)
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop()
  }
}

const model = 'ab'.repeat(32)
const key = (await modelKey(model)).bytes

const madeUpAddresses = (count: number) =>
  Array.from({ length: count }, (_, i) => multiaddr(`/ip4/127.${i >> 16}.${(i >> 8) & 255}.${i & 255}/tcp/9`).bytes)

/** CPU of this process, milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

test('a message with 70,000 providers or 20,000 addresses is refused by its length, and costs next to nothing', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  await using stranger = await Stranger.meet(peer)
  const { id } = stranger
  const address = madeUpAddresses(1)
  const many = Array.from({ length: 70_000 }, () => peerInfo(id, address))
  const messages = [
    encode({ type: 'ADD_PROVIDER', key, providers: many }),
    encode({ type: 'ADD_PROVIDER', key, providers: [peerInfo(id, madeUpAddresses(20_000))] }),
    encode({ type: 'FIND_NODE', key, closer: many.slice(0, 20_000) }),
    encode({ type: 'GET_VALUE', key: new Uint8Array(2_000_000) })
  ]
  for (const message of messages) {
    assert.ok(message.length > 200_000)
    const before = cpuMs()
    // the stranger is of this process: its own sending counts too, of megabytes that are encrypted and thrown away
    assert.equal((await stranger.say(message)).length, 0)
    const spent = cpuMs() - before
    assert.ok(spent < 500, `a message of ${message.length} bytes cost ${spent} ms`)
  }
  assert.deepEqual(await stranger.providers(key), [])
})

test('what fits into a message is bounded too: addresses of one provider, in one message and in many', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  await using stranger = await Stranger.meet(peer)
  const { id } = stranger
  const addresses = madeUpAddresses(4000)
  for (let at = 0; at < addresses.length; at += 500) {
    const message = encode({ type: 'ADD_PROVIDER', key, providers: [peerInfo(id, addresses.slice(at, at + 500))] })
    assert.ok(message.length < maxDhtRequestBytes)
    await stranger.say(message)
  }
  await until(async () => (await stranger.providers(key)).length === 1, 'being a provider')
  assert.deepEqual(
    (await stranger.providers(key)).map(({ addresses }) => addresses),
    [maxAddressesPerPeer]
  )
})

test('an answer that names 20,000 peers is not read, and one that names a thousand too many counts as none', async () => {
  await using swarm = new Swarm()
  const node = await createNode({
    privateKey: await generateIdentity(),
    listen: loopback,
    announce: [],
    validators: {},
    selectors: {}
  })
  await node.start()
  try {
    let closer: Uint8Array[] = []
    let asked = 0
    await node.unhandle(dhtProtocol)
    await node.handle(dhtProtocol, stream => {
      stream.addEventListener('message', () => {
        asked++
        stream.send(encode({ type: 'GET_VALUE', key, closer }))
      })
    })
    const peer = await swarm.peer({ join: node.getMultiaddrs().map(String) })
    await peer.dht.ready(3000)
    const address = madeUpAddresses(1)
    for (const count of [20_000, 1000]) {
      const ids = await Promise.all(Array.from({ length: 20 }, () => generateIdentity()))
      closer = Array.from({ length: count }, (_, i) =>
        peerInfo(peerIdFromPrivateKey(ids[i % 20]!).toMultihash().bytes, address)
      )
      const before = cpuMs()
      const [known, askedBefore] = [peer.dht.size, asked]
      assert.equal(
        await peer.dht.get(recordKey(peerIdFromPrivateKey(ids[0]!).toString()), AbortSignal.timeout(5000)),
        null
      )
      assert.ok(asked > askedBefore)
      assert.ok(cpuMs() - before < 500, `${count} peers cost ${cpuMs() - before} ms`)
      assert.ok(peer.dht.size <= known)
    }
  } finally {
    await node.stop()
  }
})

/** A stream that only says what the test makes it say. */
function spoken() {
  const listeners = new Set<(event: { data: Uint8Array }) => void>()
  const heard = { reset: undefined as Error | undefined, listeners }
  const stream = {
    addEventListener: (_: string, listener: (event: { data: Uint8Array }) => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: (event: { data: Uint8Array }) => void) => listeners.delete(listener),
    abort: (error: Error) => {
      heard.reset = error
    }
  } as unknown as Stream
  const say = (...bytes: number[]) => {
    for (const listener of listeners) listener({ data: Uint8Array.from(bytes) })
  }
  return { stream, say, heard }
}

test('length prefixes are followed across pieces of any size', () => {
  const { stream, say, heard } = spoken()
  limitMessages(stream, 'test', 300)
  // 300 bytes, none, 2 bytes, in pieces
  say(0xac)
  say(0x02, ...new Array(250).fill(0xff))
  say(...new Array(50).fill(0xff), 0x00, 0x02, 0xff)
  say(0xff)
  assert.equal(heard.reset, undefined)
  // 301
  say(0xad)
  say(0x02)
  assert.match(heard.reset!.message, /of test of more than 300 bytes/)
})

test('what follows the messages that a limit is for may be anything', () => {
  const { stream, say, heard } = spoken()
  limitMessages(stream, 'test', 3, 1)
  say(0x03, 0xff)
  say(0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
  assert.equal(heard.reset, undefined)
  assert.equal(heard.listeners.size, 0)
})

test('a message of a relay with 300,000 addresses is not read, by peers and by relays', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer({ relay: true })
  await using stranger = await Stranger.meet(peer)
  const { id } = stranger
  const one = madeUpAddresses(1)
  const info = peerInfo(id, new Array(300_000).fill(one[0]))
  // StopMessage and HopMessage: type CONNECT, then the peer (https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md)
  for (const [protocol, type] of [
    ['/libp2p/circuit/relay/0.2.0/stop', 0],
    ['/libp2p/circuit/relay/0.2.0/hop', 1]
  ] as const) {
    const message = protobuf.Writer.create().uint32(0x08).int32(type).uint32(0x12).bytes(info).finish()
    const before = cpuMs()
    const answer = await stranger.say(protobuf.Writer.create().bytes(message).finish(), protocol)
    const spent = cpuMs() - before
    assert.ok(spent < 600, `${protocol} cost ${spent} ms`)
    assert.equal(answer.length, 0)
  }
})

test('records are counted by who sends them, whatever key the message claims', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  await using stranger = await Stranger.meet(peer)
  const claimed = recordKey(stranger.node.peerId.toString())
  const now = Date.now()
  const made = await Promise.all(
    Array.from({ length: maxKeysPerPeer + 4 }, async () => {
      const privateKey = await generateIdentity()
      const peerId = peerIdFromPrivateKey(privateKey).toString()
      const times = { sequence: now, expiresAt: now + minute }
      return { peerId, record: await seal({ ...announced, peerId, version, addresses: [], ...times }, privateKey) }
    })
  )
  const known = () => made.filter(({ peerId }) => peer.directory.get(peerId)).length
  // one key outside, another inside
  for (const { peerId, record } of made.slice(0, 8)) {
    await stranger.say(encode({ type: 'PUT_VALUE', key: claimed, record: recordOf(recordKey(peerId), record) }))
  }
  assert.equal(known(), 0)
  for (const { peerId, record } of made) {
    const own = recordKey(peerId)
    await stranger.say(encode({ type: 'PUT_VALUE', key: own, record: recordOf(own, record) }))
  }
  assert.equal(known(), maxKeysPerPeer)
})

test('a provider that has left and whose addresses are forgotten is left out of the answer', async t => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  const left = await swarm.peer({ join: peer.addresses })
  await left.announce(announced)
  await left.stop()
  // addresses of peers are kept for six hours, providers for 48
  const { now } = Date
  t.mock.method(Date, 'now', () => now() + 365 * minute)
  const stays = await swarm.peer({ join: peer.addresses })
  await stays.announce(announced)
  await using stranger = await Stranger.meet(peer)
  await until(async () => (await stranger.providers(key)).length > 0, 'an answer with the provider that is there')
  const client = await swarm.client(peer)
  await client.dht.ready(3000)
  const found: string[] = []
  for await (const { peerId } of client.dht.providers(await modelKey(model), AbortSignal.timeout(5000))) {
    found.push(peerId)
  }
  assert.deepEqual(found, [stays.peerId])
})

test('of many providers those that were met are named first, and no host takes the place of another', async () => {
  const ids = await Promise.all(Array.from({ length: 200 }, async () => peerIdFromPrivateKey(await generateIdentity())))
  // honest ones: two that are connected, one that is not; a stranger has made up the rest
  const [first, second, third] = [ids[3]!, ids[50]!, ids[100]!]
  const met = new Set([first, second])
  const kad = {
    providers: { getProviders: async () => [...ids] },
    rpc: { handlers: { GET_PROVIDERS: { peerStore: { get: async () => assert.fail() } } } }
  }
  guardProviders(kad as unknown as KadDHT, {
    hostOf: peer => (peer === third ? 'ip4/192.0.2.2' : 'ip4/192.0.2.1'),
    isMet: peer => met.has(peer)
  })
  const told = await kad.providers.getProviders()
  assert.equal(told.length, maxProvidersTold)
  assert.deepEqual(told.slice(0, 3), [second, first, third])
})

test('identities count for where they come from: an address, a network of IPv6, a relay', () => {
  const at = (text: string) => ({ getConnections: () => [{ remoteAddr: multiaddr(text) }] }) as unknown as SwarmLibp2p
  const relay = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  const peer = peerIdFromString('12D3KooWH6D7gxQ3Y43zkModNUZSVJCRUmAgwk5CjQWYgEDhWp4P')
  const cases = {
    '/ip4/192.0.2.1/tcp/4001': 'ip4/192.0.2.1',
    '/ip6/2001:db8:1:2:3:4:5:6/tcp/4001': 'ip6/2001:db8:1:2',
    '/ip6/2001:db8:1:2:ffff::1/tcp/4001': 'ip6/2001:db8:1:2'
  }
  for (const [address, source] of Object.entries(cases)) {
    assert.equal(connectedHost(at(address), peer), source)
    assert.equal(connectedSource(at(address), peer), source)
  }
  const relayed = at(`/ip4/192.0.2.1/tcp/4001/p2p/${relay}/p2p-circuit/p2p/${peer}`)
  assert.equal(connectedSource(relayed, peer), `relay/${relay}`)
  assert.equal(connectedHost(relayed, peer), peer.toString())
})

test('turns go round the sources', () => {
  assert.deepEqual(
    fairly(['a1', 'a2', 'a3', 'b1', 'c1', 'c2'], item => item[0]!),
    ['b1', 'c1', 'a1', 'c2', 'a2', 'a3']
  )
  assert.deepEqual(
    fairly([], () => ''),
    []
  )
})

test('entries under a prefix are found without looking at the others', async () => {
  const store = new BoundedStore({ limits: { '/dht/provider/': 10, '/peers/': 10 } })
  for (const name of ['/dht/provider/a/1', '/peers/1', '/dht/provider/b/2', '/dht/provider/a/3', '/else/1']) {
    store.put(new Key(name), new TextEncoder().encode(name))
  }
  const found = async (prefix: string) => {
    const names: string[] = []
    for await (const { key: name, value } of store.query({ prefix })) {
      assert.equal(new TextDecoder().decode(value), name.toString())
      names.push(name.toString())
    }
    return names
  }
  assert.deepEqual(await found('/dht/provider/a'), ['/dht/provider/a/1', '/dht/provider/a/3'])
  assert.deepEqual(await found('/else'), ['/else/1'])
})
