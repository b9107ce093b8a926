// A stranger that announces servers which are not there: in directories, in what a client is told, in what it uses.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { minute, second } from '../../../common/units.ts'
import { version } from '../../../common/version.ts'
import { maxDirectoryBytes, maxPushedPerHost, maxPushedRecords, maxUnproven } from '../../../network/constants.ts'
import { type Announcement, maxRecordBytes, seal } from '../../../network/discovery/announcement.ts'
import { Directory } from '../../../network/discovery/directory.ts'
import { findServers } from '../../../network/discovery/discovery.ts'
import { proven } from '../../../network/discovery/proof.ts'
import { fairly } from '../../../network/guards/fairly.ts'
import { findModel } from '../../../network/model-exchange.ts'
import type { Network } from '../../../network/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { protocols } from '../../../proto/protocols.ts'
import { announced } from '../../../testing/announced.ts'
import { code, Swarm, within } from '../harness.ts'

const { model } = announced

function announcement(peerId: string, changes: Partial<Announcement> = {}): Announcement {
  const now = Date.now()
  return { ...announced, peerId, version, addresses: [], sequence: now, expiresAt: now + 30 * minute, ...changes }
}

/** Signed announcements of servers that do not exist, better than any that does. */
function madeUp(count: number, addresses: readonly string[]): Promise<{ peerId: string; record: Uint8Array }[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const key = await generateIdentity()
      const peerId = peerIdFromPrivateKey(key).toString()
      const wonderful = { decodeRate: 3e38, forwardRate: 3e38, firstBlock: 0, endBlock: 12, addresses }
      return { peerId, record: await seal(announcement(peerId, wonderful), key) }
    })
  )
}

/** Accepts connections and says nothing. */
async function tarpit(): Promise<{ address: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => sockets.add(socket.on('error', () => {})))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    address: `/ip4/127.0.0.1/tcp/${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    }
  }
}

async function push(from: Network, to: Network, records: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < records.length; at += maxPushedRecords) {
    const announcements = records.slice(at, at + maxPushedRecords)
    const body = { kind: 'directoryRequest' as const, model: '', announcements }
    await from.request(to.peerId, protocols.directory, { body, tensors: {} })
  }
}

test('a new client finds all honest servers after a stranger has announced 250 others, and soon', async () => {
  await using pit = await tarpit()
  await using swarm = new Swarm()
  const a = await swarm.peer()
  const b = await swarm.peer({ join: a.addresses })
  await a.announce({ ...announced, firstBlock: 0, endBlock: 6 })
  await b.announce({ ...announced, firstBlock: 6, endBlock: 12 })
  const stranger = await swarm.client(a)
  const fakes = await madeUp(250, [pit.address, `/dns4/${'x'.repeat(120)}.invalid/tcp/1`])
  for (const peer of [a, b]) {
    await push(
      stranger,
      peer,
      fakes.map(({ record }) => record)
    )
  }
  assert.ok(fakes.filter(({ peerId }) => a.directory.get(peerId)).length > 200)
  const client = await swarm.client(a)
  const found = await within(findServers(client, model), 10 * second, 'finding servers')
  assert.deepEqual(new Set(found.map(({ peerId }) => peerId)), new Set([a.peerId, b.peerId]))
  // the honest ones are what it is told first
  assert.deepEqual(
    new Set(
      client.directory
        .list(model)
        .slice(0, 2)
        .map(({ peerId }) => peerId)
    ),
    new Set([a.peerId, b.peerId])
  )
})

test('a directory that lies hides no server that another directory knows', async () => {
  await using pit = await tarpit()
  await using swarm = new Swarm()
  const a = await swarm.peer()
  await a.announce({ ...announced, firstBlock: 0, endBlock: 12 })
  const liar = await swarm.peer({ join: a.addresses })
  for (const { record } of await madeUp(120, [pit.address])) await liar.directory.add(record)
  const client = await swarm.peer({ listen: [], join: [...a.addresses, ...liar.addresses] })
  // both, whichever answered first
  await client.ping(liar.peerId, { addresses: liar.addresses })
  await client.ping(a.peerId, { addresses: a.addresses })
  const found = await within(findServers(client, model), 10 * second, 'finding servers')
  assert.deepEqual(
    found.map(({ peerId }) => peerId),
    [a.peerId]
  )
})

test('a name that a stranger announces for a model of nobody keeps no client from the model of that name', async () => {
  await using pit = await tarpit()
  await using swarm = new Swarm()
  const a = await swarm.peer()
  await a.announce(announced)
  const stranger = await swarm.client(a)
  const key = await generateIdentity()
  const fake = { model: 'cd'.repeat(32), addresses: [pit.address] }
  await push(stranger, a, [await seal(announcement(peerIdFromPrivateKey(key).toString(), fake), key)])
  const client = await swarm.client(a)
  assert.equal((await within(findModel(client, announced.modelName), 10 * second, 'finding a model')).model, model)
  // two that are there: the name does not say which
  const b = await swarm.peer({ join: a.addresses })
  await b.announce({ ...announced, model: 'ef'.repeat(32) })
  const another = await swarm.client(a)
  await assert.rejects(findModel(another, announced.modelName), code('INVALID_ARGUMENT', /abababab|efefefef/))
})

test('10,000 announcements of one host push nobody out of an answer who was met, nor those that other hosts told of', () => {
  const directory = new Directory()
  const add = (name: string, bytes: number, source: string) =>
    directory.keep(new Uint8Array(bytes).fill(name.length), announcement(name), source)
  const bytes = 300
  add('own', bytes, '')
  add('met', bytes, 'ip4/192.0.2.9')
  directory.meet('met', 'ip4/192.0.2.1')
  for (let i = 0; i < 1000; i++) add(`told ${i}`, bytes, 'ip4/192.0.2.2')
  for (let i = 0; i < 10_000; i++) add(`made up ${i}`, maxRecordBytes, 'ip4/192.0.2.66')
  const listed = directory.list(model).map(({ peerId }) => peerId)
  assert.deepEqual(new Set(listed.slice(0, 2)), new Set(['own', 'met']))
  assert.equal(listed.filter(name => name.startsWith('told')).length, 1000)
  let left = maxDirectoryBytes
  let fits = 0
  for (const record of directory.records(model)) {
    left -= record.length
    if (left < 0) break
    if (record.length === bytes) fits++
  }
  assert.equal(fits, 1002)
})

test('what a peer pushes of others is counted by host before it is verified', async () => {
  await using swarm = new Swarm()
  const peer = await swarm.peer()
  const stranger = await swarm.client(peer)
  let checked = 0
  const { addAll } = peer.directory
  peer.directory.addAll = (records, options) => {
    checked += records.length
    return addAll.call(peer.directory, records, options)
  }
  const junk = Array.from({ length: maxPushedPerHost + 200 }, (_, i) =>
    new Uint8Array(100).fill(i % 251, 0, 99).fill(i >> 4, 60)
  )
  await push(stranger, peer, junk)
  const own = Math.ceil(junk.length / maxPushedRecords)
  assert.ok(checked <= maxPushedPerHost + own, `${checked}`)
})

test('turns go by what a source has had so far', () => {
  const items = ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']
  const sourceOf = (item: string) => item[0]!
  const costOf = (item: string) => (item[0] === 'a' ? 10 : 1)
  assert.deepEqual(fairly(items, sourceOf, { costOf }), ['b1', 'c1', 'a1', 'c2', 'a2', 'a3'])
  assert.deepEqual(fairly(items, sourceOf, { latestFirst: true }), ['b1', 'c2', 'a3', 'c1', 'a2', 'a1'])
})

test('of many announced servers those that answer are used, of few all, and all where most are there', async () => {
  const honest = new Set(['first', 'far'])
  const pinged: string[] = []
  const network = () => ({
    ping: async (peer: string) => {
      pinged.push(peer)
      if (peer.startsWith('there') || honest.has(peer)) return 1
      throw new Error('nobody')
    }
  })
  const names = (servers: readonly Announcement[]) => servers.map(({ peerId }) => peerId)
  const whole = { enough: (servers: readonly Announcement[]) => servers.length >= 2 }
  const of = (...peers: string[]) => peers.map(peer => announcement(peer))
  const many = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name} ${i}`)

  const few = of(...many('made up', maxUnproven))
  assert.deepEqual(await proven(network(), few, whole), few)
  assert.deepEqual(pinged, [])

  const flooded = of('first', ...many('made up', 100), 'far')
  assert.deepEqual(names(await proven(network(), flooded, whole)), ['first', 'far'])

  // a swarm of 200 with some that have just died: none is left out, nor are all of them pinged
  pinged.length = 0
  const large = of(...many('gone', 3), ...many('there', 200))
  assert.equal((await proven(network(), large, whole)).length, 203)
  assert.ok(pinged.length < 60)

  // nobody answers: better all than none
  const none = of(...many('made up', 20))
  assert.deepEqual(await proven(network(), none, whole), none)
})
