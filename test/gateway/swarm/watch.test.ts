// What the console shows of the swarm: one look for all viewers, servers that are silent or gone, an hour in bounded memory.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SurveyedModel, SurveyedServer } from '../../../client/index.ts'
import { HistoryOfSwarm } from '../../../gateway/swarm/history.ts'
import { toView } from '../../../gateway/swarm/view.ts'
import { SwarmWatch } from '../../../gateway/swarm/watch.ts'

const load = {
  sessions: 2,
  queueLength: 3,
  cacheBytesUsed: 25,
  cacheBytesTotal: 100,
  residualBytesUsed: 0,
  residualBytesTotal: 10
}

function server(peerId: string, [first, end]: [number, number], more: Partial<SurveyedServer> = {}): SurveyedServer {
  return {
    peerId,
    name: peerId,
    model: 'aa',
    blocks: { first, end },
    state: 'online',
    dtype: 'float32',
    decodeRate: 10,
    forwardRate: 100,
    cacheBytesFree: 75,
    queueMs: 0,
    trainingQueueMs: 0,
    version: '0.1.0',
    protocols: [],
    addresses: [],
    trips: [],
    expiresAt: 0,
    load,
    roundTripMs: 1,
    ...more
  }
}

function model(servers: SurveyedServer[]): SurveyedModel {
  const base = { identity: 'aa', name: 'tiny', totalBlocks: 4, missing: [], problem: null }
  return { ...base, state: { kind: 'complete' }, servers }
}

describe('the view of the swarm', () => {
  it('counts servers that answer, and keeps one that has gone for ten minutes', () => {
    const a = server('a', [0, 4])
    const b = server('b', [2, 4])
    const both = toView([model([a, b])], null, 1000)
    assert.deepEqual(both.models[0]!.replicas, [1, 1, 2, 2])
    assert.equal(both.models[0]!.complete, true)

    const silent = toView([model([{ ...a, load: null, roundTripMs: null }, b])], both, 2000)
    assert.deepEqual(
      silent.models[0]!.servers.map(({ state }) => state),
      ['silent', 'online']
    )
    assert.equal(silent.models[0]!.complete, false)
    assert.match(silent.models[0]!.problem!.what, /blocks 0-1\.$/)

    const gone = toView([model([b])], silent, 3000)
    assert.deepEqual(
      gone.models[0]!.servers.map(({ peerId, state, seen }) => [peerId, state, seen]),
      [
        ['a', 'gone', 2000],
        ['b', 'online', 3000]
      ]
    )
    assert.deepEqual(gone.models[0]!.replicas, [0, 0, 1, 1])
    const later = toView([model([b])], gone, 2000 + 10 * 60_000)
    assert.deepEqual(
      later.models[0]!.servers.map(({ peerId }) => peerId),
      ['b']
    )
    assert.deepEqual(toView([], later, 60 * 60_000).models, [])
  })
})

describe('the last hour of the swarm', () => {
  it('holds a sample each 15 seconds, whatever the pace of the looks, and none that is older', () => {
    const history = new HistoryOfSwarm()
    for (let second = 0; second < 2 * 3600; second += 2) {
      history.add(toView([model([server('a', [0, 4])])], null, second * 1000))
    }
    const { times, online, queue, sessions, changes } = history.whole()
    assert.ok(times.length > 200 && times.length <= 242, `${times.length} samples`)
    assert.equal(times.at(-1), 7198)
    assert.ok(times[0]! > 7198 - 3600)
    assert.deepEqual([online.at(-1), queue.at(-1), sessions.at(-1)], [1, 3, 2])
    assert.deepEqual(changes, [])
    assert.equal(history.ofServer('a').cache.at(-1), 0.25)
    assert.equal(history.ofServer('b').cache.at(-1), null)
  })

  it('is bounded in servers and in changes', () => {
    const history = new HistoryOfSwarm()
    const many = Array.from({ length: 1000 }, (_, at) => server(`s${at}`, [0, 4]))
    history.add(toView([], null, 0))
    history.add(toView([model(many)], null, 20_000))
    assert.equal(history.whole().online.at(-1), 200)
    assert.equal(history.whole().changes.length, 200)
    assert.deepEqual(history.whole().changes[0]!.to, 'online')
  })
})

describe('the watch over the swarm', () => {
  it('looks once for all viewers, fast while there are some, and tells them of failures', async () => {
    let looks = 0
    let fails = false
    const watch = new SwarmWatch(
      async () => {
        looks += 1
        if (fails) throw new Error('the network is down')
        return [model([server('a', [0, 4])])]
      },
      { viewedMs: 1, idleMs: 60_000 }
    )
    watch.start()
    const leaving = new AbortController()
    const [one, two] = [watch.views(leaving.signal), watch.views(leaving.signal)]
    const views = await Promise.all([one.next(), two.next()])
    assert.deepEqual(
      views.map(({ value }) => value?.models[0]?.name),
      ['tiny', 'tiny']
    )
    assert.equal(views[0]!.value, views[1]!.value)
    await one.next()
    fails = true
    let view = (await one.next()).value
    while (view?.failure === null) view = (await one.next()).value
    assert.equal(view?.failure, 'the network is down')
    assert.equal(view?.models[0]?.name, 'tiny', 'what was seen before stays')
    leaving.abort()
    assert.equal((await one.next()).done, true)
    assert.equal((await two.next()).done, true)
    await watch.stop()
    const before = looks
    await watch.stop()
    assert.equal(looks, before)
  })

  it('does not look while nobody asks, but for the history', async () => {
    let looks = 0
    const seen = Promise.withResolvers<void>()
    const watch = new SwarmWatch(
      async () => {
        looks += 1
        seen.resolve()
        return []
      },
      { viewedMs: 1, idleMs: 60_000 }
    )
    watch.start()
    await seen.promise
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(looks, 1)
    await watch.stop()
  })
})
