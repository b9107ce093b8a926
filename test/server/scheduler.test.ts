import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scheduler } from '../../server/scheduler.ts'

const forever = new AbortController().signal

/** Work that runs until it is released, and notes that it did. */
function recorder() {
  const order: string[] = []
  const gates = new Map<string, () => void>()
  return {
    order,
    release: (name: string) => gates.get(name)!(),
    work: (name: string) => () => {
      order.push(name)
      return new Promise<string>(resolve => gates.set(name, () => resolve(name)))
    },
    now: (name: string) => async () => {
      order.push(name)
      return name
    }
  }
}

test('decode steps go before training that has waited longer', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxDecodeRun: 4 })
  const { order, work, now, release } = recorder()
  const first = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, work('first'))
  const training = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, now('training'))
  const decode = scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now('decode'))
  release('first')
  await Promise.all([first, training, decode])
  assert.deepEqual(order, ['first', 'decode', 'training'])
})

test('peers take turns: one with many requests does not hold up another', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxDecodeRun: 4 })
  const { order, work, now, release } = recorder()
  const jobs = [scheduler.run({ priority: 'training', peerId: 'greedy', signal: forever }, work('g0'))]
  for (const name of ['g1', 'g2', 'g3']) {
    jobs.push(scheduler.run({ priority: 'training', peerId: 'greedy', signal: forever }, now(name)))
  }
  jobs.push(scheduler.run({ priority: 'training', peerId: 'modest', signal: forever }, now('m1')))
  release('g0')
  await Promise.all(jobs)
  assert.deepEqual(order, ['g0', 'g1', 'm1', 'g2', 'g3'])
})

test('training gets a turn after so many decode steps', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxDecodeRun: 2 })
  const { order, work, now, release } = recorder()
  const first = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('first'))
  const jobs = ['t1', 't2'].map(name =>
    scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, now(name))
  )
  for (const name of ['d1', 'd2', 'd3', 'd4', 'd5']) {
    jobs.push(scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now(name)))
  }
  release('first')
  await Promise.all([first, ...jobs])
  assert.deepEqual(order, ['first', 'd1', 'd2', 't1', 'd3', 'd4', 't2', 'd5'])
})

test('waiting training does not keep decode steps out of a full queue', async () => {
  const scheduler = new Scheduler({ maxLength: 1, maxDecodeRun: 4 })
  const { work, now, release } = recorder()
  const running = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, work('running'))
  const jobs = [scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, now('waiting'))]
  jobs.push(scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now('decode')))
  release('running')
  assert.deepEqual(await Promise.all([running, ...jobs]), ['running', 'waiting', 'decode'])
})

test('a signal that is aborted already lets nothing in', async () => {
  const scheduler = new Scheduler({ maxLength: 1, maxDecodeRun: 4 })
  const options = { priority: 'decode', peerId: 'a', signal: AbortSignal.abort(new Error('too late')) } as const
  await assert.rejects(scheduler.run(options, recorder().now('never')), /too late/)
  assert.equal(scheduler.length, 0)
})

test('a full queue says so at once', async () => {
  const scheduler = new Scheduler({ maxLength: 1, maxDecodeRun: 4 })
  const { work, now, release } = recorder()
  const running = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('running'))
  const waiting = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, now('waiting'))
  await assert.rejects(scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, now('third')), {
    code: 'BUSY',
    retryable: true
  })
  release('running')
  assert.deepEqual(await Promise.all([running, waiting]), ['running', 'waiting'])
})

test('cancelled work leaves the queue, and work that fails does not stop what follows', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxDecodeRun: 4 })
  const { order, work, now, release } = recorder()
  const cancel = new AbortController()
  const running = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('running'))
  const cancelled = scheduler.run({ priority: 'decode', peerId: 'a', signal: cancel.signal }, now('cancelled'))
  const failing = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, async () => {
    throw new Error('broken')
  })
  const last = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, now('last'))
  cancel.abort(new Error('gave up'))
  await assert.rejects(cancelled, /gave up/)
  assert.equal(scheduler.length, 2)
  release('running')
  await assert.rejects(failing, /broken/)
  await Promise.all([running, last])
  assert.deepEqual(order, ['running', 'last'])
})
