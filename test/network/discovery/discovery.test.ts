import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { silent } from '../../../common/logger.ts'
import { minute } from '../../../common/units.ts'
import { type Announcement, type AnnouncementFields, seal } from '../../../network/discovery/announcement.ts'
import { Announcer, type AnnouncerInit } from '../../../network/discovery/announcer.ts'
import { Directory } from '../../../network/discovery/directory.ts'
import { findServers } from '../../../network/discovery/discovery.ts'
import { Gossip } from '../../../network/discovery/gossip.ts'
import { recordKey } from '../../../network/discovery/records.ts'
import { surveySwarm } from '../../../network/discovery/survey.ts'
import type { Network } from '../../../network/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { announced } from '../../../testing/announced.ts'
import { loopback, Swarm, until, within } from '../harness.ts'

const model = 'ab'.repeat(32)
const other = 'cd'.repeat(32)

function fields(changes: Partial<AnnouncementFields> = {}): AnnouncementFields {
  return { ...announced, ...changes }
}

async function announce(network: Network, changes: Partial<AnnouncementFields> = {}, init: AnnouncerInit = {}) {
  const announcer = new Announcer({ network }, init)
  await announcer.start({ describe: () => fields(changes) })
  return announcer
}

/** Resolves when the peer learns something for which the check holds. */
function learns(peer: Network, check: (announcement: Announcement) => boolean, timeoutMs = 5000): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = peer.directory.onNews(announcement => check(announcement) && resolve())
  return within(promise, timeoutMs, 'an announcement').finally(unsubscribe)
}

const ids = (servers: readonly { peerId: string }[]) => servers.map(({ peerId }) => peerId).sort()

test('a client finds every server of six through one peer that serves no model', async () => {
  await using swarm = new Swarm()
  const bootstrap = await swarm.peer()
  const servers: Network[] = []
  for (const firstBlock of [0, 4, 8, 0, 4]) {
    const server = await swarm.peer({ join: bootstrap.addresses })
    servers.push(server)
    await announce(server, { firstBlock, endBlock: firstBlock + 4, model: servers.length === 5 ? other : model })
  }
  const client = await swarm.client(bootstrap)
  const found = await findServers(client, model, { enough: list => list.length === 4 })
  assert.deepEqual(ids(found), ids(servers.slice(0, 4)))
  for (const { peerId, addresses, firstBlock, endBlock } of found) {
    assert.deepEqual(addresses, servers.find(server => server.peerId === peerId)?.addresses)
    assert.equal(endBlock - firstBlock, 4)
  }
  // without asking the bootstrap peer: by the providers that the DHT knows
  const { peerId, dht, request } = client
  const seeker = {
    peerId,
    dht,
    directory: new Directory(),
    peersWith: async () => [],
    hostOf: (peer: string) => peer,
    request: request.bind(client)
  }
  assert.deepEqual(ids(await findServers({ ...seeker }, other)), [servers[4]!.peerId])
  // where no directory answers: by the records on the DHT
  const deaf = {
    ...seeker,
    directory: new Directory(),
    request: async () => {
      throw new SwarmError('UNREACHABLE', 'nobody answers')
    }
  }
  assert.deepEqual(ids(await findServers(deaf, model, { enough: list => list.length === 4 })), ids(servers.slice(0, 4)))
})

test('a survey finds the servers of every model, each of which only the server before it knows', async () => {
  await using swarm = new Swarm()
  const models = ['aa', 'bb', 'cc', 'dd', 'ee'].map(digits => digits.repeat(32))
  const servers = await Promise.all(models.map(() => swarm.peer()))
  await Promise.all(servers.map((server, index) => server.announce(fields({ model: models[index]! }))))
  for (const [index, server] of servers.slice(1).entries()) {
    await servers[index]!.directory.add(server.directory.recordOf(server.peerId)!)
  }
  const client = await swarm.client(servers[0]!)
  const found = await within(surveySwarm(client), 10_000, 'the survey')
  assert.deepEqual(found.map(({ model }) => model).sort(), models)
  assert.deepEqual(ids(found), ids(servers))
})

test('a model that nobody serves is an empty list, also where there is nobody to ask', async () => {
  await using swarm = new Swarm()
  const bootstrap = await swarm.peer()
  const client = await swarm.client(bootstrap)
  assert.deepEqual(await within(findServers(client, model), 5000, 'finding nobody'), [])
  const lonely = await swarm.peer({ listen: [] })
  assert.deepEqual(await within(findServers(lonely, model), 5000, 'finding nobody alone'), [])
  await assert.rejects(findServers(lonely, model, { signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('a lone first node announces to nobody, and to whoever comes later', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const announcer = new Announcer({ network: first }, { intervalMs: 10 * minute })
  await within(announcer.start({ describe: () => fields() }), 1000, 'announcing alone')
  const second = await swarm.peer({ join: first.addresses })
  if (second.directory.list().length === 0) await learns(second, ({ peerId }) => peerId === first.peerId)
  assert.deepEqual(ids(second.directory.list(model)), [first.peerId])
  const client = await swarm.client(second)
  assert.deepEqual(ids(await findServers(client, model)), [first.peerId])
})

test('a change is told at once, and a server that leaves is gone at once', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer()
  const server = await swarm.peer({ join: first.addresses })
  let state: 'online' | 'draining' = 'online'
  const announcer = new Announcer({ network: server })
  await announcer.start({ describe: () => fields({ state }) })
  assert.equal(first.directory.get(server.peerId)?.state, 'online')
  state = 'draining'
  await announcer.update()
  assert.equal(first.directory.get(server.peerId)?.state, 'draining')
  await announcer.stop()
  await announcer.stop()
  assert.equal(first.directory.get(server.peerId)?.state, 'offline')
  assert.deepEqual(first.directory.list(model), [])
  assert.deepEqual(await findServers(await swarm.client(first), model), [])
})

test('a server that falls silent disappears within one expiry, one that lives stays', async () => {
  await using swarm = new Swarm()
  const bootstrap = await swarm.peer()
  const lives = await swarm.peer({ join: bootstrap.addresses })
  const dies = await swarm.peer({ join: bootstrap.addresses })
  const times = { intervalMs: 300, expiryMs: 1500 }
  const announcers = await Promise.all([announce(lives, {}, times), announce(dies, {}, times)])
  await until(() => bootstrap.directory.list(model).length === 2, 'hearing of both')
  // no farewell: the peer is just gone
  await dies.stop()
  const begin = performance.now()
  await until(() => !bootstrap.directory.get(dies.peerId), 'the expiry', 3000)
  assert.ok(performance.now() - begin < 2500)
  for (let i = 0; i < 3; i++) await learns(bootstrap, ({ peerId }) => peerId === lives.peerId)
  assert.deepEqual(ids(bootstrap.directory.list(model)), [lives.peerId])
  await Promise.all(announcers.map(announcer => announcer.stop()))
})

test('a server that comes back with its identity is believed again', async () => {
  await using swarm = new Swarm()
  const bootstrap = await swarm.peer()
  const privateKey = await generateIdentity()
  for (const endBlock of [4, 8]) {
    const server = await swarm.peer({ join: bootstrap.addresses, privateKey })
    const announcer = await announce(server, { endBlock })
    assert.deepEqual(
      bootstrap.directory.list(model).map(announcement => [announcement.peerId, announcement.endBlock]),
      [[server.peerId, endBlock]]
    )
    await announcer.stop()
    await server.stop()
  }
})

test('peers do not store what was forged, and the swarm outlives its first peer', async () => {
  await using swarm = new Swarm()
  const bootstrap = await swarm.peer()
  const a = await swarm.peer({ join: bootstrap.addresses })
  const b = await swarm.peer({ join: bootstrap.addresses })
  await Promise.all([announce(a), announce(b, { firstBlock: 4, endBlock: 12 })])
  await until(
    () => a.directory.list(model).length === 2 && b.directory.list(model).length === 2,
    'hearing of each other'
  )

  const forger = await generateIdentity()
  const truth = bootstrap.directory.get(a.peerId)!
  const forged = await seal({ ...truth, sequence: truth.sequence + 1, state: 'offline' }, forger)
  assert.equal(await b.dht.put(recordKey(a.peerId), forged, AbortSignal.timeout(5000)), 0)
  // what was true once and is no more
  const old = bootstrap.directory.recordOf(a.peerId)!
  await a.announce(fields({ state: 'draining' }))
  assert.equal(await b.dht.put(recordKey(a.peerId), old, AbortSignal.timeout(5000)), 0)
  assert.equal(bootstrap.directory.get(a.peerId)?.state, 'draining')

  await bootstrap.stop()
  const client = await swarm.client(b)
  assert.deepEqual(ids(await findServers(client, model)), ids([a, b]))
  assert.ok((await client.ping(a.peerId, { addresses: a.addresses })) >= 0)
})

test('an exchange of directories tells both sides, and skips what is of no use', async () => {
  await using swarm = new Swarm()
  const knows = await swarm.peer()
  const asks = await swarm.peer()
  const gossip = new Gossip({ network: asks, logger: silent }, { intervalMs: minute })
  // nobody to talk to
  await gossip.exchange()
  await asks.announce(fields())
  await knows.announce(fields({ firstBlock: 4, endBlock: 8 }))
  const elsewhere = await swarm.peer()
  await elsewhere.announce(fields({ model: other }))
  await knows.directory.add(elsewhere.directory.recordOf(elsewhere.peerId)!)
  await asks.directory.add(knows.directory.recordOf(knows.peerId)!)
  await knows.announce(fields({ firstBlock: 4, endBlock: 12 }))

  await gossip.exchange()
  assert.equal(asks.directory.get(knows.peerId)?.endBlock, 12)
  assert.deepEqual(ids(knows.directory.list(model)), ids([knows, asks]))
  assert.deepEqual(asks.directory.list(other), [])
  gossip.stop()
})

test('servers gossip by themselves', async () => {
  await using swarm = new Swarm()
  const first = await swarm.peer({ gossipIntervalMs: 100 })
  const second = await swarm.peer({ join: first.addresses, gossipIntervalMs: 100 })
  // known to the first only, and not by way of the DHT
  const stranger = await swarm.peer()
  await stranger.announce(fields())
  const learned = learns(second, ({ peerId }) => peerId === stranger.peerId)
  await first.directory.add(stranger.directory.recordOf(stranger.peerId)!)
  await learned
})

test('an announcer finds its way back when the peer it joined through was away', async () => {
  await using swarm = new Swarm()
  const privateKey = await generateIdentity()
  const bootstrap = await swarm.peer({ privateKey })
  const listen = [bootstrap.addresses[0]!.replace(/\/p2p\/.*/, '')]
  const server = await swarm.peer({ join: bootstrap.addresses })
  await announce(server, {}, { intervalMs: 200, expiryMs: minute })
  await bootstrap.stop()
  const again = await swarm.peer({ privateKey, listen })
  await learns(again, ({ peerId }) => peerId === server.peerId, 8000)
})

test('an announcement that makes no sense is refused where it is made', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer({ listen: loopback })
  const announcer = new Announcer({ network: server })
  await assert.rejects(announcer.start({ describe: () => fields({ endBlock: 40 }) }), (error: SwarmError) => {
    assert.equal(error.code, 'INVALID_ARGUMENT')
    return true
  })
  await announcer.stop()
})
