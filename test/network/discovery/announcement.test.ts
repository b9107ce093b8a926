import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import fc from 'fast-check'
import { SwarmError } from '../../../common/errors.ts'
import { minute, second } from '../../../common/units.ts'
import {
  type Announcement,
  checkServerName,
  maxRecordBytes,
  open,
  seal
} from '../../../network/discovery/announcement.ts'
import { Directory } from '../../../network/discovery/directory.ts'
import { modelKey, recordKey, recordRules } from '../../../network/discovery/records.ts'
import { generateIdentity, type PrivateKey } from '../../../network/private/identity.ts'

const now = 1_800_000_000_000
const model = 'ab'.repeat(32)
const other = 'cd'.repeat(32)

async function server(changes: Partial<Announcement> = {}): Promise<{ key: PrivateKey; announcement: Announcement }> {
  const key = await generateIdentity()
  const announcement: Announcement = {
    peerId: peerIdFromPrivateKey(key).toString(),
    model,
    modelName: 'tiny',
    totalBlocks: 12,
    firstBlock: 0,
    endBlock: 4,
    state: 'online',
    forwardRate: 1500,
    decodeRate: 30.5,
    cacheBytesFree: 2 ** 40,
    queueMs: 0,
    trainingQueueMs: 0,
    trips: [],
    dtype: 'float32',
    version: '0.1.0',
    addresses: ['/ip4/192.168.1.7/tcp/4000'],
    sequence: now,
    expiresAt: now + 4 * minute,
    ...changes
  }
  return { key, announcement }
}

const refused = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SwarmError, String(error))
  assert.equal(error.code, 'INVALID_ARGUMENT')
  assert.match(error.message, pattern)
  return true
}

test('an announcement opens as it was sealed, in under 400 bytes', async () => {
  for (const state of ['joining', 'online', 'draining', 'offline'] as const) {
    const { key, announcement } = await server({ state })
    const record = await seal(announcement, key)
    assert.ok(record.length < 400, `${record.length} bytes`)
    assert.deepEqual(await open(record, now), announcement)
  }
})

test('nobody speaks for another peer', async () => {
  const { announcement } = await server()
  const forger = await generateIdentity()
  await assert.rejects(open(await seal(announcement, forger), now), refused(/signed it for another peer/))
})

test('a record that was changed anywhere is refused', async () => {
  const { key, announcement } = await server()
  const record = await seal(announcement, key)
  for (let at = 0; at < record.length; at += 7) {
    const changed = record.slice()
    changed[at]! ^= 1
    await assert.rejects(open(changed, now), refused(/announcement refused/), `byte ${at}`)
  }
  await assert.rejects(open(record.subarray(0, -1), now), refused(/announcement refused/))
  await assert.rejects(open(new Uint8Array(maxRecordBytes + 1), now), refused(/4097 bytes/))
})

test('any bytes are refused, not fatal', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async bytes => {
      await assert.rejects(open(bytes, now), refused(/announcement refused/))
    }),
    { numRuns: 200 }
  )
})

test('a signature made for something else does not count', async () => {
  const { key, announcement } = await server()
  const payload = (await RecordEnvelope.openAndCertify(await seal(announcement, key), 'swarmtune-announcement')).payload
  const reseal = async (domain: string, codec: string) => {
    const record = { domain, codec: new TextEncoder().encode(codec), marshal: () => payload, equals: () => false }
    return (await RecordEnvelope.seal(record, key)).marshal()
  }
  await assert.rejects(open(await reseal('libp2p-peer-record', '/swarmtune/announcement/1'), now), refused(/signature/))
  await assert.rejects(open(await reseal('swarmtune-announcement', '/else'), now), refused(/something else/))
})

test('what is expired, valid for too long, or makes no sense is refused', async () => {
  const cases: [Partial<Announcement>, RegExp][] = [
    [{ expiresAt: now }, /expired 0 ms ago/],
    [{ expiresAt: now + 120 * minute }, /valid for 7200000 ms/],
    [{ model: 'tiny' }, /64 hexadecimal/],
    [{ firstBlock: 4, endBlock: 4 }, /blocks 4-4/],
    [{ firstBlock: 8, endBlock: 4 }, /blocks 8-4/],
    [{ endBlock: 13 }, /blocks 0-13 are no range of 12/],
    [{ totalBlocks: 0, endBlock: 0 }, /0 blocks/],
    [{ totalBlocks: 1_000_000 }, /1000000 blocks/],
    [{ forwardRate: Number.NaN }, /rate of NaN/],
    [{ decodeRate: -1 }, /rate of -1/],
    [{ queueMs: Number.POSITIVE_INFINITY }, /queue of Infinity/],
    [{ trainingQueueMs: -1 }, /queue of -1/],
    [{ trips: Array(9).fill({ peerId: 'x', ms: 1 }) }, /9 round trips/],
    [{ trips: [{ peerId: 'x', ms: Number.NaN }] }, /round trip of NaN/],
    [{ trips: [{ peerId: 'x'.repeat(200), ms: 1 }] }, /peer id that is too long/],
    [{ modelName: 'x'.repeat(200) }, /text of 200/],
    [{ serverName: 'x'.repeat(200) }, /text of 200/],
    [{ device: 'x'.repeat(200) }, /text of 200/],
    [{ region: 'x'.repeat(200) }, /text of 200/],
    [{ addresses: ['nowhere'] }, /'nowhere' is not a multiaddr/],
    [{ addresses: Array(17).fill('/ip4/1.2.3.4/tcp/1') }, /17 addresses/],
    [{ sequence: 2 ** 60 }, /sequence is above/]
  ]
  for (const [changes, pattern] of cases) {
    const { key, announcement } = await server(changes)
    await assert.rejects(open(await seal(announcement, key), now), refused(pattern))
  }
})

test('a server may say its name; texts that would steer a terminal are shown escaped', async () => {
  const { key, announcement } = await server()
  assert.equal('serverName' in (await open(await seal(announcement, key), now)), false)
  const named = await open(await seal({ ...announcement, serverName: 'attic 2' }, key), now)
  assert.deepEqual([named.serverName, named.modelName], ['attic 2', announcement.modelName])
  const plain = await open(await seal(announcement, key), now)
  assert.deepEqual(['device' in plain, 'region' in plain], [false, false])
  const placed = await open(await seal({ ...announcement, device: 'CPU, 8 threads', region: 'a\x1b[2Jb' }, key), now)
  assert.deepEqual([placed.device, placed.region], ['CPU, 8 threads', 'a\\u001b[2Jb'])
  const steering = { serverName: 'a\x1b[2Jb', modelName: 'm\u202e', dtype: '\x07', version: '1\u0085' }
  const { serverName, modelName, dtype, version } = await open(await seal({ ...announcement, ...steering }, key), now)
  const shown = ['a\\u001b[2Jb', 'm\\u202e', '\\u0007', '1\\u0085']
  assert.deepEqual([serverName, modelName, dtype, version], shown)
  // invisible characters and marks that turn digits beside them: no two names look the same by them
  const hidden = { serverName: 'la\u200bb\u200f', modelName: 'm\u{e0041}\u00ad', dtype: '\ufeff', version: '\u061c1' }
  const seen = await open(await seal({ ...announcement, ...hidden }, key), now)
  assert.deepEqual([seen.serverName, seen.modelName], ['la\\u200bb\\u200f', 'm\\u{e0041}\\u00ad'])
  assert.deepEqual([seen.dtype, seen.version], ['\\ufeff', '\\u061c1'])
})

test('a server is named by printable characters alone', () => {
  for (const name of ['attic', 'Büro 2 (GPU)', '机器-1', 'x'.repeat(64)]) assert.equal(checkServerName(name), name)
  for (const name of ['', ' a', 'a ', 'a\nb', '\x1b[31m', 'a\u202eb', 'a\u200bb', 'x'.repeat(65)]) {
    assert.throws(() => checkServerName(name), { code: 'INVALID_ARGUMENT', message: /expected 1 to 64 printable/ })
  }
})

test('a directory keeps the newest of each server and refuses what is replayed', async () => {
  const directory = new Directory({ now: () => now })
  const { key, announcement } = await server()
  const record = await seal(announcement, key)
  const newer = await seal({ ...announcement, sequence: now + 1, state: 'draining' }, key)
  assert.equal(await directory.add(record), true)
  assert.equal(await directory.add(record), false)
  assert.equal(await directory.add(newer), true)
  assert.equal(await directory.add(record), false)
  assert.deepEqual(
    directory.list(model).map(({ sequence, state }) => [sequence, state]),
    [[now + 1, 'draining']]
  )
  assert.deepEqual(directory.records(), [newer])
  assert.deepEqual(directory.list(other), [])
})

test('silence expires, and a server that said it is gone cannot be brought back', async () => {
  let clock = now
  const directory = new Directory({ now: () => clock })
  const { key, announcement } = await server()
  const online = await seal(announcement, key)
  const offline = await seal({ ...announcement, state: 'offline', sequence: now + 1 }, key)
  await directory.add(online)
  await directory.add(offline)
  assert.deepEqual(directory.list(), [])
  assert.deepEqual(directory.records(), [offline])
  assert.equal(await directory.add(online), false)
  clock = now + 4 * minute
  assert.deepEqual(directory.records(), [])
  assert.equal(await directory.add(online), false)

  const silent = await server({ expiresAt: clock + second })
  await directory.add(await seal(silent.announcement, silent.key))
  assert.equal(directory.list().length, 1)
  clock += second
  assert.equal(directory.list().length, 0)
})

test('of many records only those of the model asked for are taken, and each is verified once', async () => {
  const directory = new Directory({ now: () => now })
  const servers = await Promise.all([server(), server({ model: other }), server()])
  const records = await Promise.all(servers.map(({ key, announcement }) => seal(announcement, key)))
  const forged = await seal(servers[0]!.announcement, await generateIdentity())
  const news: string[] = []
  const unsubscribe = directory.onNews(({ peerId }) => news.push(peerId))
  assert.equal(await directory.addAll([...records, forged, new Uint8Array(3)], { model }), 2)
  assert.equal(await directory.addAll(records, { model }), 0)
  unsubscribe()
  assert.equal(await directory.addAll(records), 1)
  assert.deepEqual(news, [servers[0]!.announcement.peerId, servers[2]!.announcement.peerId])
})

test('made-up identities of one host take room from nobody but that host', async () => {
  const directory = new Directory({ now: () => now, capacity: 20 })
  const add = async (source: string, expiresAt = now + 60 * minute) => {
    const { key, announcement } = await server({ expiresAt })
    assert.equal(await directory.add(await seal(announcement, key), source), true)
    return announcement.peerId
  }
  // short-lived, as honest announcements are
  const honest = [await add('a', now + minute), await add('a', now + minute), await add('b', now + minute)]
  const flood: string[] = []
  for (let i = 0; i < 60; i++) flood.push(await add('flooder'))
  assert.deepEqual(new Set(directory.list().map(({ peerId }) => peerId)), new Set([...honest, ...flood.slice(-17)]))
  const late = await add('c', now + minute)
  const kept = directory.list().map(({ peerId }) => peerId)
  assert.equal(kept.length, 20)
  for (const peerId of [...honest, late]) assert.ok(kept.includes(peerId))
})

test('where every host has one server, the one that was silent longest makes room', async () => {
  const directory = new Directory({ now: () => now, capacity: 2 })
  const [first, second, third] = await Promise.all([server(), server(), server()])
  for (const [source, { key, announcement }] of Object.entries({ first, second })) {
    await directory.add(await seal(announcement, key), source)
  }
  await directory.add(await seal({ ...first!.announcement, sequence: now + 1 }, first!.key), 'first')
  await directory.add(await seal(third!.announcement, third!.key), 'third')
  assert.deepEqual(
    directory.list().map(({ peerId }) => peerId),
    [first!.announcement.peerId, third!.announcement.peerId]
  )
})

test('a DHT node stores only valid records under their own key, and prefers the newest', async () => {
  const directory = new Directory({ now: () => now })
  const { validators, selectors } = recordRules(directory)
  const validate = validators['swarm-server']!
  const { key, announcement } = await server()
  const [old, fresh] = await Promise.all([
    seal(announcement, key),
    seal({ ...announcement, sequence: announcement.sequence + 1 }, key)
  ])
  const stranger = (await server()).announcement.peerId
  await assert.rejects(async () => validate(recordKey(stranger), old), refused(/does not belong under this key/))
  await assert.rejects(async () => validate(recordKey(announcement.peerId), new Uint8Array(9)), refused(/refused/))
  assert.equal(directory.list().length, 0)
  await validate(recordKey(announcement.peerId), fresh)
  assert.equal(directory.list().length, 1)
  await assert.rejects(async () => validate(recordKey(announcement.peerId), old), refused(/replayed/))
  assert.equal(
    await selectors['swarm-server']!(recordKey(announcement.peerId), [new Uint8Array(2), old, fresh, old]),
    2
  )
})

test('the keys on the DHT are the documented ones', async () => {
  assert.equal(new TextDecoder().decode(recordKey('12D3KooWx')), '/swarm-server/12D3KooWx')
  assert.equal((await modelKey(model)).toString(), 'bafkreigpikefyeyp7wp3un2oesdpks7jz2sbk5crsdjtmpv6bqfbqyjhqe')
})
