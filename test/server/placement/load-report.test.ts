import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import { isNews, LoadReporter, successors } from '../../../server/placement/load-report.ts'
import { eventually, openModel, startServer } from '../support.ts'

test('a server measures the way to those who have the blocks after its own, and announces it', async context => {
  const checkpoint = await openModel('grouped')
  const loadReporter = { intervalMs: 50 }
  const second = await startServer(context, { checkpoint, blocks: { first: 2, end: 4 }, loadReporter })
  const join = second.addresses
  const first = await startServer(context, { checkpoint, blocks: { first: 0, end: 2 }, loadReporter, join })
  const tripsOf = (peerId: string) => second.network.directory.get(peerId)?.trips ?? []
  await eventually(() => tripsOf(first.peerId).length > 0, 'the trip is announced')
  const [trip] = tripsOf(first.peerId)
  assert.equal(trip!.peerId, second.peerId)
  assert.ok(trip!.ms >= 0 && trip!.ms < 2000)
  assert.deepEqual(tripsOf(second.peerId), [])
})

test('successors are online and have the next block', () => {
  const server = (peerId: string, firstBlock: number, endBlock: number, state = 'online') =>
    ({ peerId, firstBlock, endBlock, state }) as Announcement
  const servers = [
    server('overlapping', 2, 6),
    server('next', 4, 8),
    server('same', 0, 4),
    server('later', 5, 8),
    server('leaving', 4, 8, 'draining'),
    server('own', 0, 8)
  ]
  const found = successors(servers, { first: 0, end: 4 }, 'own').map(({ peerId }) => peerId)
  assert.deepEqual(found, ['overlapping', 'next'])
})

test('a queue that grows is announced before its time, small changes are not', async () => {
  assert.ok(isNews(0, 60) && isNews(400, 100))
  assert.ok(!isNews(0, 40) && !isNews(400, 300) && !isNews(100, 60))
  const waits = { decode: 0, prefill: 0, training: 0 }
  const told: number[] = []
  const ending = new AbortController()
  const heard = Promise.withResolvers<void>()
  const network = { peerId: 'own', directory: { list: () => [] }, ping: () => Promise.reject(new Error('nobody')) }
  const loadReporter = new LoadReporter(
    {
      network: network as never,
      scheduler: { waitMs: priority => waits[priority] },
      announce: async () => {
        const { queueMs, trainingQueueMs } = loadReporter.describe()
        told.push(queueMs, trainingQueueMs)
        heard.resolve()
      }
    },
    { intervalMs: 5 }
  )
  waits.prefill = 30
  waits.training = 900
  // its timers keep no process alive
  const alive = setInterval(() => {}, 1000)
  const running = loadReporter.run(() => ({ model: 'm', range: { first: 0, end: 4 } }), ending.signal)
  await heard.promise
  ending.abort()
  await running
  clearInterval(alive)
  assert.deepEqual(told, [30, 900])
})
