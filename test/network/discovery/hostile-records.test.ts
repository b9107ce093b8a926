// Announcements that a stranger makes up: refused on every way in, and too many of them take no room from others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { Key } from 'interface-datastore'
import { minute } from '../../../common/units.ts'
import { version } from '../../../common/version.ts'
import { maxKeysPerHost, maxKeysPerPeer, storeLimits } from '../../../network/constants.ts'
import { type Announcement, maxRecordBytes, seal } from '../../../network/discovery/announcement.ts'
import { askDirectory } from '../../../network/discovery/gossip.ts'
import { recordKey } from '../../../network/discovery/records.ts'
import { BoundedStore } from '../../../network/guards/bounded-store.ts'
import { guardDht, storingHost } from '../../../network/guards/dht-guard.ts'
import { SourceQuota } from '../../../network/guards/source-quota.ts'
import type { Network } from '../../../network/node.ts'
import { generateIdentity, type PrivateKey } from '../../../network/private/identity.ts'
import { protocols } from '../../../proto/protocols.ts'
import { announced } from '../../../testing/announced.ts'
import { code, Swarm } from '../harness.ts'

function describe(key: PrivateKey, changes: Partial<Announcement> = {}): Announcement {
  const now = Date.now()
  return {
    peerId: peerIdFromPrivateKey(key).toString(),
    ...announced,
    version,
    addresses: [],
    sequence: now,
    expiresAt: now + 4 * minute,
    ...changes
  }
}

async function made(changes: Partial<Announcement> = {}): Promise<{ peerId: string; record: Uint8Array }> {
  const key = await generateIdentity()
  const announcement = describe(key, changes)
  return { peerId: announcement.peerId, record: await seal(announcement, key) }
}

/** Every kind of record that must go nowhere, with the key it claims. */
async function badRecords(): Promise<[what: string, peerId: string, record: Uint8Array][]> {
  const key = await generateIdentity()
  const peerId = peerIdFromPrivateKey(key).toString()
  const good = await seal(describe(key), key)
  const damaged = good.slice()
  damaged[good.length >> 1]! ^= 1
  const padded = new Uint8Array(maxRecordBytes + 1)
  padded.set(good)
  const now = Date.now()
  return [
    ['forged', peerId, await seal(describe(key), await generateIdentity())],
    ['damaged', peerId, damaged],
    ['oversized', peerId, padded],
    ['stale', peerId, await seal(describe(key, { expiresAt: now - 1 }), key)],
    ['valid for too long', peerId, await seal(describe(key, { expiresAt: now + 600 * minute }), key)],
    ['senseless', peerId, await seal(describe(key, { endBlock: 400 }), key)],
    ['none', peerId, new Uint8Array([1, 2, 3])]
  ]
}

const soon = () => AbortSignal.timeout(5000)

/** Pushes records as an exchange of directories does. */
async function push(from: Network, to: Network, announcements: readonly Uint8Array[]): Promise<void> {
  const body = { kind: 'directoryRequest' as const, model: '', announcements }
  await from.request(to.peerId, protocols.directory, { body, tensors: {} })
}

test('no way in takes what is forged, damaged, oversized, stale or senseless', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const second = await swarm.peer({ join: first.addresses })
  const stranger = await swarm.peer({ join: first.addresses })
  for (const [what, peerId, record] of await badRecords()) {
    // the DHT
    assert.equal(await stranger.dht.put(recordKey(peerId), record, soon()), 0, what)
    // pushed with a question
    await push(stranger, first, [record])
    assert.equal(first.directory.get(peerId), undefined, what)
    // given in an answer
    assert.equal(await second.directory.addAll([record]), 0, what)
    assert.equal(await second.dht.get(recordKey(peerId), soon()), null, what)
  }
  assert.deepEqual(
    [first, second].map(peer => peer.directory.records().length),
    [0, 0]
  )
})

test('a replay is dropped by whoever knows better, and told from a newer one on every way', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const stranger = await swarm.peer({ join: first.addresses })
  const key = await generateIdentity()
  const [old, fresh] = await Promise.all([
    seal(describe(key, { sequence: 10 }), key),
    seal(describe(key, { sequence: 11, state: 'offline' }), key)
  ])
  const peerId = peerIdFromPrivateKey(key).toString()
  await push(stranger, first, [fresh])
  assert.equal(await stranger.dht.put(recordKey(peerId), old, soon()), 0)
  await push(stranger, first, [old])
  assert.equal(first.directory.get(peerId)?.state, 'offline')
  assert.deepEqual(first.directory.records(), [fresh])
  // the stranger keeps the old one in its own memory only: who asks it believes the newer
  await askDirectory(stranger, first.peerId, '')
  assert.equal(stranger.directory.get(peerId)?.sequence, 11)
})

test('a record under the key of another peer is stored nowhere', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const stranger = await swarm.peer({ join: first.addresses })
  const [one, other] = [await made(), await made()]
  assert.equal(await stranger.dht.put(recordKey(other.peerId), one.record, soon()), 0)
  assert.equal(first.directory.get(one.peerId), undefined)
})

test('one peer has others store so many records, and no more; an honest one is not kept out', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const flooder = await swarm.peer({ join: first.addresses })
  const honest = await swarm.peer({ join: first.addresses })
  await flooder.dht.ready(3000)
  let stored = 0
  for (let i = 0; i < maxKeysPerPeer + 20; i++) {
    const { peerId, record } = await made()
    const before = first.directory.get(peerId)
    await flooder.dht.put(recordKey(peerId), record, soon()).catch(() => 0)
    if (!before && first.directory.get(peerId)) stored++
  }
  assert.equal(stored, maxKeysPerPeer)
  const { peerId, record } = await made()
  await honest.dht.ready(3000)
  assert.ok((await honest.dht.put(recordKey(peerId), record, soon())) >= 1)
  assert.ok(first.directory.get(peerId))
})

test('peers made up on one host share what the host may have stored, each key told with its host', async () => {
  const stored: [string, string | undefined][] = []
  const handler = () => ({
    handle: async (_: unknown, { key }: { key: Uint8Array }) =>
      stored.push([Buffer.from(key).toString(), storingHost()])
  })
  const handlers = { PUT_VALUE: handler(), ADD_PROVIDER: handler() }
  const hosts = new Map<string, string>()
  guardDht({ rpc: { handlers } } as unknown as KadDHT, peer => hosts.get(peer.toString())!)
  const from = async (host: string, type: keyof typeof handlers, key: string) => {
    const peer = peerIdFromPrivateKey(await generateIdentity())
    hosts.set(peer.toString(), host)
    return handlers[type].handle(peer, { key: Buffer.from(key) })
  }
  // one key, always another peer: providers of one model, say
  for (let i = 0; i < maxKeysPerHost; i++) await from('ip4/192.0.2.1', 'ADD_PROVIDER', 'model')
  await assert.rejects(
    from('ip4/192.0.2.1', 'ADD_PROVIDER', 'model'),
    code('BUSY', /exceeds its quota of stored records/)
  )
  await assert.rejects(from('ip4/192.0.2.1', 'PUT_VALUE', 'another'), code('BUSY'))
  await from('ip4/192.0.2.2', 'PUT_VALUE', 'of another host')
  assert.equal(stored.length, maxKeysPerHost + 1)
  assert.deepEqual(stored.at(-1), ['of another host', 'ip4/192.0.2.2'])
})

test('a quota counts keys of a source once, forgets them after its window, and remembers so many sources', () => {
  let now = 0
  const quota = new SourceQuota({ maxKeys: 2, windowMs: 100, maxSources: 2, now: () => now })
  const admitted = (source: string, ...keys: string[]) => keys.map(key => quota.admit(source, key))
  assert.deepEqual(admitted('a', 'x', 'y', 'x', 'z'), [true, true, true, false])
  assert.deepEqual(admitted('b', 'z'), [true])
  now = 100
  assert.deepEqual(admitted('a', 'z', 'x', 'y'), [true, true, false])
  for (let i = 0; i < 100; i++) quota.admit(`made up ${i}`, 'x')
  assert.equal(quota.sources, 2)
})

test('a store keeps so many entries under a prefix: the oldest make room, held ones stay', async () => {
  const held = new Set(['/peers/0'])
  const store = new BoundedStore({ limits: { '/dht/record/': 3, '/peers/': 2 }, held: () => held })
  const put = (name: string) => store.put(new Key(name), new Uint8Array(1))
  const keys = async () => {
    const found: string[] = []
    for await (const key of store.queryKeys({})) found.push(key.toString())
    return found.sort()
  }
  for (const i of [0, 1, 2]) put(`/dht/record/${i}`)
  put('/dht/record/0')
  put('/dht/record/3')
  for (const i of [0, 1, 2]) put(`/peers/${i}`)
  put('/else/1')
  assert.deepEqual(await keys(), ['/dht/record/0', '/dht/record/2', '/dht/record/3', '/else/1', '/peers/0', '/peers/2'])
  store.delete(new Key('/dht/record/2'))
  assert.equal(store.sizeOf('/dht/record/'), 2)
  for (let i = 0; i < 20_000; i++) put(`/dht/record/made-up-${i}`)
  assert.equal(store.sizeOf('/dht/record/'), 3)
  assert.ok(Object.values(storeLimits).every(limit => limit < 20_000))
})
