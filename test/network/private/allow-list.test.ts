import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { findServers } from '../../../network/discovery/discovery.ts'
import { createNetwork } from '../../../network/node.ts'
import { type AllowList, parseAllowList } from '../../../network/private/allow-list.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { announced as fields } from '../../../testing/announced.ts'
import { code, echoProtocol, message, Swarm, until, within } from '../harness.ts'

const { model } = fields
async function identity() {
  const privateKey = await generateIdentity()
  return { privateKey, peerId: peerIdFromPrivateKey(privateKey).toString() }
}

test('a list has a peer id and a role a line, and says which line is none', async () => {
  const [one, two] = [(await identity()).peerId, (await identity()).peerId]
  const list = parseAllowList(`# mine\n${one}\n\n  ${two}   client # a laptop\n`, 'friends')
  assert.deepEqual(
    [...list],
    [
      [one, 'server'],
      [two, 'client']
    ]
  )
  const refused = (text: string, pattern: RegExp) =>
    assert.throws(() => parseAllowList(text, 'friends'), code('INVALID_ARGUMENT', pattern))
  refused(`${one}\nnobody`, /friends, line 2: 'nobody' is not a peer id/)
  refused(`${one} boss`, /friends, line 1: expected '<peer id> \[client\|server\]', found '.* boss'/)
})

test('who is not on the list gets no connection either way, and is named', async () => {
  await using swarm = new Swarm()
  const [friend, foe] = [await identity(), await identity()]
  const refused: unknown[] = []
  const note = (fields: object, text: string) =>
    /refused/.test(text) && refused.push((fields as { peer?: string }).peer)
  const logger = { debug() {}, warn() {}, error() {}, info: note }
  const server = await swarm.peer({ allow: new Map([[friend.peerId, 'client']]), logger })
  await server.handle(echoProtocol, async stream => stream.send((await stream.receive())!))
  const allowed = await swarm.client(server, { privateKey: friend.privateKey })
  await allowed.request(server.peerId, echoProtocol, message())

  const other = await createNetwork({ listen: [], join: server.addresses, privateKey: foe.privateKey })
  const start = within(other.start(), 5000, 'being refused')
  await assert.rejects(
    start,
    code('UNREACHABLE', new RegExp(`^a peer to join refuses this one.*\\n.*\\n.*allow ${foe.peerId} `))
  )
  await other.stop()
  await until(() => refused.length > 0, 'the refusal')
  assert.deepEqual([...new Set(refused)], [foe.peerId])
  const listening = await swarm.peer({ privateKey: foe.privateKey })
  const options = { addresses: listening.addresses }
  await assert.rejects(server.request(foe.peerId, echoProtocol, message(), options), code('UNREACHABLE'))
})

test('announcements are believed of the servers on the list alone', async () => {
  await using swarm = new Swarm()
  const [good, asClient, unlisted] = await Promise.all([identity(), identity(), identity()])
  const first = await swarm.peer({ privateKey: good.privateKey })
  const others = [asClient, unlisted].map(({ privateKey }) => swarm.peer({ privateKey, join: first.addresses }))
  for (const peer of [first, ...(await Promise.all(others))]) await peer.announce(fields)
  await until(() => first.directory.list(model).length === 3, 'hearing of all three')
  const allow: AllowList = new Map([
    [good.peerId, 'server'],
    [asClient.peerId, 'client']
  ])
  const client = await swarm.client(first, { allow })
  const found = await findServers(client, model)
  assert.deepEqual(
    found.map(({ peerId }) => peerId),
    [good.peerId]
  )
})

test('a server that is on nobody’s list but its own believes itself', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer({ allow: new Map() })
  await server.announce(fields)
  assert.deepEqual(
    server.directory.list(model).map(({ peerId }) => peerId),
    [server.peerId]
  )
})
