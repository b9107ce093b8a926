// Which state stands between a peer and its model, and the sentences for it.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import type { ServerState } from '../../../network/discovery/announcement.ts'
import { createNetwork } from '../../../network/node.ts'
import { type DialFailure, type DialStep, dialFailure, furthest } from '../../../network/state/dial-failure.ts'
import { SwarmStateError } from '../../../network/state/error.ts'
import { describeState, stateSentence } from '../../../network/state/sentences.ts'
import { modelsOf, type SwarmKnowledge, type SwarmState, swarmState } from '../../../network/state/swarm-state.ts'
import { Swarm } from '../harness.ts'

const model = { identity: 'ab'.repeat(32), name: 'tiny' }
const blocks = { first: 0, end: 12 }

const server = (firstBlock: number, endBlock: number, state: ServerState = 'online', serverName?: string) => ({
  peerId: `12D3KooWserver${firstBlock}`,
  firstBlock,
  endBlock,
  state,
  ...(serverName !== undefined && { serverName })
})
const dial = (step: DialStep): DialFailure => ({ address: `/dns/${step}/tcp/1`, step, reason: `why ${step}` })
const known = (more: Partial<SwarmKnowledge>): SwarmKnowledge => ({ connected: 1, model, blocks, ...more })

/** Each state: what is known, and the sentence at a terminal. */
const later = { version: '9.0.0', protocols: ['inference/8.0.0', 'inference/9.0.0'] }

const cases: readonly { kind: SwarmState['kind']; known: SwarmKnowledge; cli: RegExp; sdk?: RegExp }[] = [
  {
    kind: 'other-version',
    known: known({ servers: [{ ...server(0, 12, 'online', 'attic'), ...later }], needs: ['inference'] }),
    cli: /^no server of blocks 0\.\.11 of tiny \(abababab\) speaks a version of this build: attic \(….{8}\) speaks inference\/8.0.0, inference\/9.0.0 \(swarmtune 9.0.0\), this build inference\/2.0.0 \(swarmtune 0.1.0\); update the older of the two$/
  },
  {
    kind: 'incomplete',
    known: known({ servers: [{ ...server(0, 4), totalBlocks: 12, encoderBlocks: 6 }] }),
    cli: /^no server for blocks encoder 4\.\.5, decoder 0\.\.5 .*swarm serve <path of tiny> --blocks encoder:4-6 --blocks decoder:0-6 /
  },
  {
    kind: 'incomplete',
    known: known({ servers: [{ ...server(0, 4), ...later }], needs: ['inference'] }),
    cli: /^no server for blocks 0\.\.11 /
  },
  {
    // requests that use other protocols are not affected
    kind: 'complete',
    known: known({ servers: [{ ...server(0, 12), ...later }], needs: ['forward', 'backward'] }),
    cli: /^every block is served$/
  },
  {
    kind: 'no-way-in',
    known: { connected: 0 },
    cli: /^no way into a swarm: no address, .*; name a peer with --join <host:port>, or .* --swarm <invite>$/,
    sdk: /; name a peer with the option 'initialPeers', or a private swarm with the option 'swarm'$/
  },
  {
    kind: 'no-way-in',
    known: { connected: 0, swarm: 'home' },
    cli: /^no way into swarm 'home': its invite has no address, and multicast is off; .*, or leave out --no-mdns$/,
    sdk: /, or leave out 'multicast: false'$/
  },
  {
    kind: 'none-found',
    known: { connected: 0, searchedMs: 15_000, swarm: 'home' },
    cli: /^no peer of swarm 'home' answers on this LAN \(searched by multicast for 15 s\); start one/
  },
  {
    kind: 'none-found',
    known: { connected: 0, searchedMs: 15_000, model },
    cli: /^no peer that serves tiny \(abababab\) answers.*; start one with 'swarm serve <path of tiny>', or .*--join <host:port>/
  },
  {
    kind: 'unreachable',
    known: { connected: 0, dials: [dial('dead'), dial('silent')] },
    cli: /^no peer to join answers:\n {2}\/dns\/dead\/tcp\/1: why dead\n {2}\/dns\/silent\/tcp\/1: why silent\nstart a peer there/
  },
  {
    kind: 'other-secret',
    known: { connected: 0, dials: [dial('handshake'), dial('dead')], swarm: 'home' },
    cli: /^no peer to join is in swarm 'home':\n[\s\S]*why handshake[\s\S]*\nboth sides need the secret of the same invite/
  },
  {
    kind: 'other-secret',
    known: { connected: 0, dials: [dial('handshake')] },
    cli: /^no peer to join is a peer of an open swarm:[\s\S]*invite only: --swarm <invite>; otherwise check/,
    sdk: /invite only: the option 'swarm'; otherwise check/
  },
  {
    kind: 'other-peer',
    known: { connected: 0, dials: [dial('identity')] },
    cli: /^another peer answers at the address/
  },
  {
    kind: 'refused',
    known: { connected: 0, dials: [dial('dead'), dial('refused')], self: '12D3KooWself' },
    cli: /^a peer to join refuses this one, probably by its allow-list:[\s\S]*operator to allow 12D3KooWself \(--allow\); --identity <file> keeps/,
    sdk: /the option 'identityPath' keeps/
  },
  {
    kind: 'excluded',
    known: { connected: 0, dials: [dial('excluded')] },
    cli: /^the allow-list of this peer does not name the peer to join:\n.*\nadd its peer id to --allow$/
  },
  {
    kind: 'no-server',
    known: known({}),
    cli: /^no server of tiny \(abababab\) is known in the swarm, nor of another model; start one with 'swarm serve <path of tiny> --join <address>'$/
  },
  { kind: 'no-server', known: { connected: 2 }, cli: /^no server is known in the swarm; start one/ },
  {
    kind: 'other-model',
    known: known({ served: [{ identity: 'cd'.repeat(32), name: 'large' }] }),
    cli: /^no server of tiny \(abababab\); the swarm serves large \(cdcdcdcd\); use a model that the swarm serves/
  },
  {
    kind: 'other-revision',
    known: known({ served: [{ identity: 'cd'.repeat(32), name: 'tiny' }] }),
    cli: /serves tiny \(cdcdcdcd\): another revision or conversion; .*\(--revision\), or take it from them \(--from-peers\)$/,
    sdk: /\(the option 'hub\.revision'\), or take it from them \(the option 'fromPeers'\)$/
  },
  {
    kind: 'paused',
    known: known({ servers: [server(0, 12, 'paused', 'attic')] }),
    cli: /^the only server of blocks 0\.\.11 of tiny \(abababab\) is paused: attic \(…Wserver0\); wait for its schedule, resume it/
  },
  {
    kind: 'paused',
    known: known({ servers: [server(0, 6), server(6, 9, 'joining'), server(9, 12, 'paused')] }),
    cli: /^no server of blocks 6\.\.11 of tiny \(abababab\) serves now: …Wserver6 is still loading, …Wserver9 is paused; 1 server of other blocks is online; wait/
  },
  {
    kind: 'joining',
    known: known({ servers: [server(0, 12, 'joining')] }),
    cli: /^the only server of blocks .* is still loading: …Wserver0; try again in a minute/
  },
  {
    kind: 'draining',
    known: known({ servers: [server(0, 11), server(11, 12, 'draining')] }),
    cli: /^the only server of block 11 of .* is leaving: .*; start another server with 'swarm serve <path of tiny> --blocks 11-12 --join <address>'$/
  },
  {
    kind: 'incomplete',
    known: known({ servers: [server(0, 4), server(8, 9), server(5, 6, 'paused')] }),
    cli: /^no server for blocks 4\.\.7, 9\.\.11 \(2 servers of this model seen; of the servers that hold some of them …Wserver5 is paused\); start one with 'swarm serve <path of tiny> --blocks 4-8 --join <address>'$/
  },
  {
    kind: 'incomplete',
    known: known({ servers: [server(0, 4)], swarm: 'lab' }),
    cli: /; start one with 'swarm serve <path of tiny> --blocks 4-12 --swarm <invite>'$/
  },
  {
    kind: 'paused',
    known: known({ servers: [server(0, 12, 'paused')], swarm: 'lab' }),
    cli: /or start another with 'swarm serve <path of tiny> --blocks 0-12 --swarm <invite>'$/
  },
  {
    kind: 'no-server',
    known: known({ swarm: 'lab', model: { identity: 'ab'.repeat(32), name: 'Qwen/Qwen3-8B' } }),
    cli: /; start one with 'swarm serve Qwen\/Qwen3-8B --swarm <invite>'$/
  },
  {
    kind: 'none-found',
    known: { connected: 0, searchedMs: 15_000, swarm: 'lab' },
    cli: /^no peer of swarm 'lab' answers on this LAN .*; start one with 'swarm serve <model> --swarm lab', or/
  },
  { kind: 'complete', known: known({ servers: [server(0, 12)] }), cli: /^every block is served$/ }
]

describe('the state of a swarm', () => {
  for (const { kind, known, cli, sdk } of cases) {
    test(`${kind}: ${cli.source.slice(1, 60)}`, () => {
      const state = swarmState(known)
      assert.equal(state.kind, kind)
      assert.match(describeState(state, 'cli'), cli)
      const forDevelopers = describeState(state, 'sdk')
      if (sdk) assert.match(forDevelopers, sdk)
      // flags are the command line's words; commands to run are not
      assert.doesNotMatch(forDevelopers.replaceAll(/'(swarm|kill) [^']*'|\(--allow\)/g, ''), /--\w/)
      assert.equal(new SwarmStateError(state).message, forDevelopers)
      assert.ok(kind === 'complete' || stateSentence(state, 'cli').next.length > 0)
    })
  }

  test('of several addresses the one that got furthest counts', () => {
    assert.equal(furthest(['dead', 'refused', 'handshake']), 'refused')
    assert.equal(furthest([]), 'dead')
    const several = new AggregateError([new Error('connect ECONNREFUSED'), new DOMException('late', 'TimeoutError')])
    assert.equal(dialFailure('/dns/a/tcp/1', several).step, 'silent')
    const member = new SwarmError('UNREACHABLE', 'the other side has another secret, or none')
    assert.equal(dialFailure('/dns/a/tcp/1', member).step, 'handshake')
  })
})

test('a dial tells at which step it failed: real peers of another kind each', async context => {
  await using swarm = new Swarm()
  const secret = (fill: number) => new Uint8Array(32).fill(fill)
  const [open, closed] = await Promise.all([swarm.peer(), swarm.peer({ secret: secret(1) })])
  const guarded = await swarm.peer({ allow: new Map([[open.peerId, 'server']]) })
  const web = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  context.after(() => web.close())
  await new Promise<void>(listening => web.listen(0, '127.0.0.1', listening))
  const { port } = web.address() as { port: number }
  const bare = open.addresses[0]!.replace(/\/p2p\/.*/, '')
  const tries: [DialStep, string, { secret?: Uint8Array; allow?: Map<string, 'server'> }][] = [
    ['dead', '/ip4/127.0.0.1/tcp/9', {}],
    ['dead', '/dns4/nowhere.invalid/tcp/9', {}],
    ['handshake', `/ip4/127.0.0.1/tcp/${port}`, {}],
    ['handshake', closed.addresses[0]!, {}],
    ['handshake', closed.addresses[0]!, { secret: secret(2) }],
    ['handshake', open.addresses[0]!, { secret: secret(1) }],
    ['identity', `${bare}/p2p/${closed.peerId}`, {}],
    ['refused', guarded.addresses[0]!, {}],
    ['excluded', open.addresses[0]!, { allow: new Map([[closed.peerId, 'server']]) }]
  ]
  const steps = await Promise.all(
    tries.map(async ([, address, init]) => {
      const told: (DialStep | undefined)[] = []
      const onDialed = ({ failure }: { failure?: DialFailure }) => told.push(failure?.step)
      const client = await createNetwork({ listen: [], join: [address], onDialed, ...init })
      await assert.rejects(client.start(), { code: 'UNREACHABLE' })
      await client.stop()
      return told
    })
  )
  assert.deepEqual(
    steps,
    tries.map(([step]) => [step])
  )
})

test('what most servers say of a model holds: one that lies renames nothing and adds no blocks', () => {
  const says = (identity: string, modelName: string, totalBlocks: number) => ({
    model: identity,
    modelName,
    totalBlocks
  })
  const honest = says('aa', 'tiny', 12)
  assert.deepEqual(
    modelsOf([says('aa', 'evil', 12), honest, says('bb', 'other', 3), honest, says('aa', 'tiny', 9e4)]),
    [
      { identity: 'aa', name: 'tiny', totalBlocks: 12 },
      { identity: 'bb', name: 'other', totalBlocks: 3 }
    ]
  )
})
