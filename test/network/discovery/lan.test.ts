// Peers on machines of their own: found by multicast, met through a relay.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { MiB } from '../../../common/units.ts'
import { generateSecret } from '../../../network/private/invite.ts'
import { membership, multicastTag } from '../../../network/private/membership.ts'
import { Machines, namespacesMissing, type Resident } from '../fixtures/namespaces.ts'

const script = join(import.meta.dirname, '../fixtures', 'resident.ts')
const skip = namespacesMissing() ?? false

interface Event {
  readonly event: 'peer' | 'found' | 'up' | 'echoed' | 'failed' | 'addresses'
  readonly peer?: string
  readonly peerId?: string
  readonly addresses?: string[]
  readonly bytes?: number
  readonly from?: string
  readonly address?: string
  readonly message?: string
}

/** The next line for which the check holds. */
async function heard(resident: Resident, check: (event: Event) => boolean): Promise<Event> {
  for (;;) {
    const event = await resident.line<Event>()
    if (check(event)) return event
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('peers of one swarm find each other on a LAN without addresses, others do not', { skip }, async () => {
  using machines = new Machines()
  for (const [host, name] of ['a', 'b', 'c', 'd'].entries()) machines.connect(name, 1, host + 1)
  const [ours, theirs] = [generateSecret(), generateSecret()]
  const peer = (machine: string, secret: Uint8Array, init: object = {}) =>
    machines.run(
      machine,
      script,
      JSON.stringify({ secretHex: hex(secret), multicastTag: multicastTag({ secret }), ...init })
    )
  await using first = peer('a', ours)
  const { peerId } = await heard(first, ({ event }) => event === 'up')
  await using other = peer('b', theirs)
  await heard(other, ({ event }) => event === 'up')
  await using second = peer('c', ours)
  assert.equal((await heard(second, ({ event }) => event === 'peer')).peer, peerId)
  // a client that knows nothing but the invite
  await using client = peer('d', ours, { listen: [] })
  assert.equal((await heard(client, ({ event }) => event === 'up')).event, 'up')
  // and one of the other swarm, which meets its own peer only
  await using stranger = peer('d', theirs, { listen: [] })
  const met = await heard(stranger, ({ event }) => event === 'peer')
  assert.notEqual(met.peer, peerId)
})

test('peers whose addresses do not answer are not replaced by others of the LAN, but for members of the same swarm', {
  skip
}, async () => {
  using machines = new Machines()
  for (const [host, name] of ['a', 'b', 'c'].entries()) machines.connect(name, 1, host + 1)
  const model = 'ab'.repeat(32)
  const listen = ['/ip4/0.0.0.0/tcp/4001']
  const dead = '/ip4/10.77.1.3/tcp/4001'
  const open = ({ listen, ...init }: Parameters<typeof membership>[0]) =>
    JSON.stringify({ listen, ...membership({ model, listen, ...init }) })
  await using first = machines.run('a', script, open({ listen }))
  const { peerId } = await heard(first, ({ event }) => event === 'up')
  // who names nobody finds it, and says whom
  await using seeks = machines.run('b', script, open({ listen: [] }))
  const found = await heard(seeks, ({ event }) => ['found', 'failed'].includes(event))
  assert.deepEqual([found.event, found.peer], ['found', peerId])
  assert.match(found.address!, /^\/ip4\/10\.77\.1\.1\/tcp\/4001/)
  // who names no model finds the servers of all open swarms
  const { multicastTag: anyTag } = membership({ anyModel: true })
  await using surveys = machines.run('c', script, JSON.stringify({ listen: [], multicastTag: anyTag }))
  assert.equal((await heard(surveys, ({ event }) => ['found', 'failed'].includes(event))).peer, peerId)
  // who names an address that is dead fails with it
  await using client = machines.run('b', script, open({ listen: [], join: [dead] }))
  const failed = await heard(client, ({ event }) => ['up', 'failed'].includes(event))
  assert.equal(failed.event, 'failed')
  assert.match(failed.message!, /no peer to join answers:\n\s+\/ip4\/10\.77\.1\.3\/tcp\/4001: .*ECONNREFUSED/)
  // a server waits, without the other, until the address answers
  await using server = machines.run('b', script, open({ listen, join: [dead] }))
  await using asked = machines.run('c', script, open({ listen, join: [], multicast: false }))
  const bootstrap = await heard(asked, ({ event }) => event === 'up')
  const met: (string | undefined)[] = []
  await heard(server, ({ event, peer }) => {
    if (event === 'peer') met.push(peer)
    return event === 'up'
  })
  assert.ok(met.includes(bootstrap.peerId) && !met.includes(peerId), met.join())
  // an invite names its swarm: a member found on the LAN is as good as the address in it
  const swarm = { name: 'home', secret: generateSecret(), peers: ['/ip4/10.77.1.3/tcp/4009'] }
  const ofSwarm = (listen: readonly string[], patient?: boolean) => {
    const { secret, ...settings } = membership({ swarm, listen })
    return JSON.stringify({ listen, patient, ...settings, secretHex: hex(secret!) })
  }
  await using member = machines.run('a', script, ofSwarm(['/ip4/0.0.0.0/tcp/4010'], false))
  await using guest = machines.run('c', script, ofSwarm([]))
  const greeted = await heard(guest, ({ event }) => ['found', 'failed'].includes(event))
  assert.equal(greeted.event, 'found')
  assert.match(greeted.address!, /10\.77\.1\.1\/tcp\/4010/)
  assert.ok(member)
})

test('two peers that can meet over a relay only send tensors through it', { skip }, async () => {
  using machines = new Machines()
  // a and b are on networks of their own; the relay is on both, and forwards no packets
  machines.connect('a', 1, 1)
  machines.connect('b', 2, 1)
  machines.connect('relay', 1, 9)
  machines.connect('relay', 2, 9)
  const secretHex = hex(generateSecret())
  await using relay = machines.run('relay', script, JSON.stringify({ secretHex, relay: true }))
  const { addresses } = await heard(relay, ({ event }) => event === 'up')
  const near = (network: number) => addresses!.filter(address => address.includes(`/10.77.${network}.`))
  await using server = machines.run('a', script, JSON.stringify({ secretHex, nat: true, join: near(1) }))
  const { peerId } = await heard(server, ({ event }) => event === 'up')
  const relayed = await heard(server, event => event.addresses?.some(text => text.includes('/p2p-circuit')) ?? false)

  const bytes = 8 * MiB
  const direct = { peer: peerId, addresses: relayed.addresses!.filter(text => !text.includes('/p2p-circuit')), bytes }
  await using lost = machines.run('b', script, JSON.stringify({ secretHex, listen: [], join: near(2), echo: direct }))
  assert.match((await heard(lost, ({ event }) => event === 'failed')).message!, /cannot reach/)

  const echo = { peer: peerId, addresses: relayed.addresses, bytes }
  await using client = machines.run('b', script, JSON.stringify({ secretHex, listen: [], join: near(2), echo }))
  const done = await heard(client, ({ event }) => ['echoed', 'failed'].includes(event))
  assert.deepEqual([done.event, done.message, done.bytes], ['echoed', undefined, bytes])
  // by no host: what is behind a relay has none
  assert.equal(done.from, peerId)
})
