import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MiB, minute } from '../../common/units.ts'
import { Announcer } from '../../network/discovery/announcer.ts'
import { findServers } from '../../network/discovery/discovery.ts'
import { generateSecret } from '../../network/private/invite.ts'
import { announced as fields } from '../../testing/announced.ts'
import { echoProtocol, large, Swarm, until } from './harness.ts'

const { model } = fields
const circuit = (address: string) => address.includes('/p2p-circuit')

test('a server that listens through a relay alone is announced, found, and sends tensors', async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  const relay = await swarm.peer({ secret, relay: true })
  // announces before it has an address: the one that comes later is told without being asked for
  const server = await swarm.peer({ secret, listen: ['/p2p-circuit'], join: relay.addresses })
  await server.handle(echoProtocol, async stream => {
    for (let got = await stream.receive(); got; got = await stream.receive()) await stream.send(got)
  })
  const announcer = new Announcer({ network: server }, { intervalMs: 10 * minute, expiryMs: 20 * minute })
  await announcer.start({ describe: () => fields })
  await until(() => relay.directory.get(server.peerId)?.addresses.some(circuit), 'an announcement with the relay')

  const client = await swarm.client(relay, { secret })
  const [found] = await findServers(client, model)
  assert.equal(found?.peerId, server.peerId)
  assert.ok(found.addresses.every(circuit))
  // far more than the 128 KiB that libp2p lets through a relay by default
  const sent = large(16 * MiB)
  const answer = await client.request(server.peerId, echoProtocol, sent, { addresses: found.addresses })
  assert.deepEqual(answer.tensors.hidden?.data, sent.tensors.hidden?.data)
  await announcer.stop()
})

test('who has another secret gets no relayed connection either', async () => {
  await using swarm = new Swarm()
  const secret = generateSecret()
  // an open relay in front of a private server would be of no use to the stranger, a private one lets nobody in
  const relay = await swarm.peer({ secret, relay: true })
  const server = await swarm.peer({ secret, listen: ['/p2p-circuit'], join: relay.addresses })
  await until(() => server.addresses.some(circuit), 'a reservation')
  const stranger = await swarm.peer({ secret: generateSecret() })
  const asked = stranger.request(server.peerId, echoProtocol, large(4), { addresses: server.addresses })
  await assert.rejects(asked, { code: 'UNREACHABLE' })
})
