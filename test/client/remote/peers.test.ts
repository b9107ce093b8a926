import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { files } from '../../../client/platform/files.node.ts'
import { Blame } from '../../../client/remote/peers/blame.ts'
import { Peers, type PeersComponents } from '../../../client/remote/peers/peers.ts'
import { minute, second } from '../../../common/units.ts'
import { announcement } from './fake-swarm.ts'

const all = { first: 0, end: 4 }

function createPeers(components: Partial<PeersComponents> = {}) {
  const clock = { now: 0 }
  const asked: string[] = []
  const state = {
    servers: [announcement('a', 0, 4), announcement('b', 0, 4)],
    roundTrips: { a: 5, b: 50 } as Record<string, number>,
    lookups: 0
  }
  const peers = new Peers({
    async findServers() {
      state.lookups++
      return state.servers
    },
    async ping(peerId) {
      asked.push(peerId)
      const ms = state.roundTrips[peerId]
      if (ms === undefined) throw new Error('no answer')
      return ms
    },
    now: () => clock.now,
    ...components
  })
  const taken = async () => (await peers.route(all)).map(hop => hop.peerId).join()
  return { peers, clock, state, asked, taken }
}

describe('the peers of a model', () => {
  it('prefers the nearest server, pings each once, and asks for the list once a minute', async () => {
    const { clock, state, asked, taken } = createPeers()
    assert.equal(await taken(), 'a')
    assert.equal(await taken(), 'a')
    assert.deepEqual(asked.toSorted(), ['a', 'b'])
    assert.equal(state.lookups, 1)
    clock.now += minute
    assert.equal(await taken(), 'a')
    assert.equal(state.lookups, 2)
    assert.equal(asked.length, 2)
  })

  it('leaves a failed server out for 15 s, then for twice as long each time, until it succeeds', async () => {
    const { peers, clock, taken } = createPeers()
    await taken()
    for (const length of [15, 30, 60]) {
      peers.fail('a')
      clock.now += length * second - 1
      assert.equal(await taken(), 'b')
      clock.now += 1
      assert.equal(await taken(), 'a')
    }
    peers.succeed('a')
    peers.fail('a')
    clock.now += 15 * second
    assert.equal(await taken(), 'a')
  })

  it('leaves a busy server out for as long as it says, and no longer', async () => {
    const { peers, clock, taken } = createPeers()
    await taken()
    peers.fail('a', { retryAfterMs: 700 })
    assert.equal(await taken(), 'b')
    clock.now += 699
    assert.equal(await taken(), 'b')
    clock.now += 1
    assert.equal(await taken(), 'a')
  })

  it('waits for a busy server where there is no other', async () => {
    const { peers, state, taken } = createPeers({ now: undefined })
    state.servers.pop()
    await taken()
    peers.fail('a', { retryAfterMs: 60 })
    const started = performance.now()
    assert.equal(await taken(), 'a')
    assert.ok(performance.now() - started >= 50)
    peers.fail('a', { retryAfterMs: 5000 })
    await assert.rejects(peers.route(all, { signal: AbortSignal.timeout(10) }), { code: 'DEADLINE' })
  })

  it('learns from its own steps which server is slower than it says, and forgets it', async () => {
    const { peers, clock, state, taken } = createPeers()
    state.roundTrips = { a: 5, b: 9 }
    const slow = [{ peerId: 'a', blocks: all }]
    await taken()
    for (let step = 0; step < 12; step++) peers.took(slow, 300)
    assert.equal(await taken(), 'b')
    clock.now += 20 * minute
    await taken()
    assert.equal(await taken(), 'a')
  })

  it('says that the only server of some blocks lied, and how to trust it again', async context => {
    const home = await mkdtemp(join(tmpdir(), 'swarm-peers-'))
    context.after(() => rm(home, { recursive: true, force: true }))
    const blame = new Blame({ files, home })
    const { peers, taken, state } = createPeers({ blame, now: Date.now })
    const peerId = '12D3KooWLiarAAAAAAAA'
    state.servers = [announcement(peerId, 0, 4)]
    await taken()
    peers.accuse(peerId, 'lied', 'an audit found it wrong')
    await blame.settled()
    const path = join(home, 'blame', `${peerId}.json`)
    await assert.rejects(taken(), new RegExp(`1 excluded because an audit found that they lied; .*delete ${path}`))
    await rm(path)
    const later = createPeers({ blame: new Blame({ files, home }), now: Date.now })
    later.state.servers = state.servers
    assert.equal(await later.taken(), peerId)
  })

  it('takes a failed server where there is no other', async () => {
    const { peers, taken } = createPeers()
    await taken()
    peers.fail('a')
    peers.fail('b')
    assert.equal(await taken(), 'a')
  })

  it('takes a server that does not answer a ping last', async () => {
    const { state, taken } = createPeers()
    state.roundTrips = { b: 4000 }
    assert.equal(await taken(), 'b')
  })

  it('does not wait for slow pings', async () => {
    const { taken } = createPeers({ ping: () => new Promise(() => {}) })
    assert.match(await taken(), /^[ab]$/)
  })

  it('pings once more a little later, and believes the shorter time', async () => {
    let count = 0
    const again = Promise.withResolvers<void>()
    const { peers, taken } = createPeers({
      async ping(peerId) {
        // the first ones meet a client that is busy
        count += 1
        if (count === 4) setImmediate(again.resolve)
        return count <= 2 ? (peerId === 'a' ? 400 : 90) : peerId === 'a' ? 3 : 80
      }
    })
    assert.equal(await taken(), 'b')
    const before = peers.promisedMs([{ peerId: 'a', blocks: all }])
    await again.promise
    assert.equal(peers.promisedMs([{ peerId: 'a', blocks: all }]), before - 397)
    assert.equal(await taken(), 'a')
    await peers.close()
  })

  it('waits no longer for a silent server once others have answered for every block', async () => {
    const silent = Promise.withResolvers<number>()
    const { peers, state, taken } = createPeers({
      ping: peerId => (peerId === 'a' ? silent.promise : Promise.resolve(5))
    })
    state.servers = [announcement('a', 0, 4), announcement('b', 0, 2), announcement('c', 2, 4)]
    const started = performance.now()
    assert.equal(await taken(), 'b,c')
    const ms = performance.now() - started
    assert.ok(ms < 700, `${ms} ms`)
    silent.resolve(1)
    await silent.promise
    await peers.close()
  })

  it('passes over servers that are joining or draining, and over expired announcements', async () => {
    const { clock, state, taken } = createPeers()
    state.servers = [
      { ...announcement('a', 0, 4), state: 'draining' },
      { ...announcement('b', 0, 4), expiresAt: 10 },
      { ...announcement('c', 0, 4), state: 'joining' }
    ]
    assert.equal(await taken(), 'b')
    clock.now = 11
    await assert.rejects(taken(), { code: 'BLOCKS_UNAVAILABLE' })
  })

  it('looks again, thoroughly, where blocks are missing', async () => {
    const { state, clock, taken } = createPeers()
    state.servers = [announcement('a', 0, 2)]
    await assert.rejects(taken(), { code: 'BLOCKS_UNAVAILABLE' })
    state.servers = [announcement('a', 0, 2), announcement('b', 2, 4)]
    clock.now += second
    assert.equal(await taken(), 'a,b')
    const asked: boolean[] = []
    const thorough = createPeers({
      async findServers({ enough }) {
        if (enough)
          asked.push(enough([announcement('a', 0, 2)]), enough([announcement('a', 0, 2), announcement('b', 1, 4)]))
        return enough ? [announcement('a', 0, 4)] : []
      }
    })
    assert.equal(await thorough.taken(), 'a')
    assert.deepEqual(asked, [false, true])
  })

  it('says what the swarm serves where it is not this model', async () => {
    const own = { model: 'ab'.repeat(32), modelName: 'mine' }
    const served = [{ name: 'other', identity: '1234abcd'.repeat(8) }]
    const { state, taken } = createPeers({ ...own, modelsServed: async () => served })
    state.servers = []
    await assert.rejects(taken(), {
      code: 'BLOCKS_UNAVAILABLE',
      message: /^no server of mine \(abababab\); the swarm serves other \(1234abcd\); use a model that/
    })
  })

  it('says that the servers of the missing blocks are paused', async () => {
    const { state, taken } = createPeers({ model: 'ab'.repeat(32), modelName: 'mine' })
    state.servers = [announcement('aaaa', 0, 2), { ...announcement('bbbb', 2, 4), state: 'paused' }]
    await assert.rejects(taken(), {
      code: 'BLOCKS_UNAVAILABLE',
      message:
        /^the only server of blocks 2\.\.3 of mine \(abababab\) is paused: …bbbb; 1 server of other blocks is online; wait/
    })
  })

  it('ends the wait of a caller who gives up, not that of the others', async () => {
    const found = Promise.withResolvers<void>()
    const { peers } = createPeers({
      async findServers() {
        await found.promise
        return [announcement('a', 0, 4)]
      }
    })
    const controller = new AbortController()
    const given = peers.route(all, { signal: controller.signal })
    const other = peers.route(all)
    controller.abort()
    await assert.rejects(given, { code: 'ABORTED' })
    found.resolve()
    assert.equal((await other)[0]!.peerId, 'a')
  })

  it('passes over servers that speak another version, for the requests that it concerns, and names both versions', async () => {
    const { peers, state, taken } = createPeers()
    const later = { protocols: ['inference/9.0.0'], version: '9.0.0' }
    state.servers = [{ ...announcement('a', 0, 4), ...later }, announcement('b', 0, 4)]
    assert.equal(await taken(), 'b')
    const passes = await peers.reserveRoutes(all, [1024, 1024])
    assert.deepEqual(passes.flatMap(({ hops }) => hops.map(hop => hop.peerId)).toSorted(), ['a', 'b'])

    const alone = createPeers()
    alone.state.servers = [{ ...announcement('a', 0, 4), ...later }]
    const message =
      /…a speaks inference\/9.0.0 \(swarmtune 9.0.0\), this build inference\/2.0.0 \(swarmtune [\d.]+\); update the older/
    await assert.rejects(alone.taken(), { code: 'BLOCKS_UNAVAILABLE', message: /./ })
    await assert.rejects(alone.taken(), error => message.test(String(error)))
    // a release that speaks both versions works with this one
    alone.state.servers = [{ ...announcement('c', 0, 4), ...later, protocols: ['inference/9.0.0', 'inference/2.0.0'] }]
    const both = createPeers()
    both.state.servers = alone.state.servers
    assert.equal(await both.taken(), 'c')
  })
})
