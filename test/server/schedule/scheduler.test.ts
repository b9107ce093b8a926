import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Batchable, type Runs, Scheduler } from '../../../server/schedule/scheduler.ts'

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
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
  const { order, work, now, release } = recorder()
  const first = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, work('first'))
  const training = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, now('training'))
  const decode = scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now('decode'))
  release('first')
  await Promise.all([first, training, decode])
  assert.deepEqual(order, ['first', 'decode', 'training'])
})

test('peers take turns: one with many requests does not hold up another', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
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
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 1, training: 2 }, maxRows: 4 })
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
  const scheduler = new Scheduler({ maxLength: 1, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
  const { work, now, release } = recorder()
  const running = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, work('running'))
  const jobs = [scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, now('waiting'))]
  jobs.push(scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now('decode')))
  release('running')
  assert.deepEqual(await Promise.all([running, ...jobs]), ['running', 'waiting', 'decode'])
})

test('a signal that is aborted already lets nothing in', async () => {
  const scheduler = new Scheduler({ maxLength: 1, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
  const options = { priority: 'decode', peerId: 'a', signal: AbortSignal.abort(new Error('too late')) } as const
  await assert.rejects(scheduler.run(options, recorder().now('never')), /too late/)
  assert.equal(scheduler.length, 0)
})

test('a full queue says so at once', async () => {
  const scheduler = new Scheduler({ maxLength: 1, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
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
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
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

/** Work that doubles numbers, those that wait at once together; notes what it was given. */
function doubling(calls: (readonly number[])[], fails = Number.NaN) {
  return (item: number, rows = 1, key: unknown = 'same'): Batchable<number, number> => ({
    key,
    item,
    rows,
    member: {},
    async run(items) {
      calls.push(items)
      if (items.includes(fails)) throw new Error(`no ${fails}`)
      return items.map(each => 2 * each)
    }
  })
}

test('steps that wait are computed together, as many rows as fit and none of another key', async () => {
  const scheduler = new Scheduler({ maxLength: 20, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
  const { work, release } = recorder()
  const first = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('first'))
  const calls: (readonly number[])[] = []
  const double = doubling(calls)
  const options = (peerId: string) => ({ priority: 'decode', peerId, signal: forever }) as const
  const results = [
    scheduler.join(options('a'), double(1)),
    scheduler.join(options('a'), double(2, 1, 'other')),
    scheduler.join(options('b'), double(3, 2)),
    scheduler.join(options('c'), double(4, 2)), // would be a fifth row
    scheduler.join(options('c'), double(5))
  ]
  release('first')
  assert.deepEqual(await Promise.all([first, ...results]), ['first', 2, 4, 6, 8, 10])
  assert.deepEqual(calls, [[1, 3, 5], [4], [2]])
})

test('work that fails together is tried again alone, so that only the faulty fails', async () => {
  const scheduler = new Scheduler({ maxLength: 20, maxPassed: { prefill: 1, training: 4 }, maxRows: 4 })
  const { work, release } = recorder()
  const first = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('first'))
  const calls: (readonly number[])[] = []
  const double = doubling(calls, 2)
  const results = [1, 2, 3].map(item =>
    scheduler.join({ priority: 'decode', peerId: `peer ${item}`, signal: forever }, double(item))
  )
  release('first')
  await first
  const settled = await Promise.allSettled(results)
  assert.deepEqual(
    settled.map(result => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    [2, 'Error: no 2', 6]
  )
  assert.deepEqual(calls, [[1, 2, 3], [1], [2], [3]])
})

test('a prompt that waits has its turn between decode steps', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 2, training: 16 }, maxRows: 1 })
  const { order, work, now, release } = recorder()
  const first = scheduler.run({ priority: 'decode', peerId: 'a', signal: forever }, work('first'))
  const jobs = ['p1', 'p2'].map(name => scheduler.run({ priority: 'prefill', peerId: 'a', signal: forever }, now(name)))
  for (const name of ['d1', 'd2', 'd3', 'd4', 'd5']) {
    jobs.push(scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now(name)))
  }
  release('first')
  await Promise.all([first, ...jobs])
  assert.deepEqual(order, ['first', 'd1', 'd2', 'p1', 'd3', 'd4', 'p2', 'd5'])
})

/** Work in several runs: notes each, and has something else happen during it. */
async function* inRuns(order: string[], name: string, count: number, during: Record<number, () => void> = {}) {
  for (let run = 1; run <= count; run++) {
    if (run > 1) yield
    order.push(`${name}${run}`)
    during[run]?.()
  }
  return name
}

test('work in several runs lets more urgent work in between, but none of its own kind before it is done', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 2, training: 16 }, maxRows: 1 })
  const { order, now } = recorder()
  const jobs: Promise<string>[] = []
  const decode = () => void jobs.push(scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now('d')))
  const train = (peerId: string, work: () => Runs<string>) => {
    jobs.push(scheduler.run({ priority: 'training', peerId, signal: forever }, work))
  }
  train('a', () => inRuns(order, 'first', 3, { 1: decode, 2: decode }))
  train('a', () => inRuns(order, 'second', 2, { 1: decode }))
  train('c', () => inRuns(order, 'third', 2))
  await Promise.all(jobs)
  await Promise.all(jobs) // those that came meanwhile
  assert.deepEqual(order, ['first1', 'd', 'first2', 'd', 'first3', 'second1', 'd', 'second2', 'third1', 'third2'])
})

test('work in several runs that is aborted, or fails, has no further run', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 2, training: 16 }, maxRows: 1 })
  const { order, now } = recorder()
  const cancel = new AbortController()
  const options = { priority: 'training', peerId: 'a', signal: forever } as const
  const abort = () => cancel.abort(new Error('gave up'))
  const cancelled = scheduler.run({ ...options, signal: cancel.signal }, () => inRuns(order, 'a', 3, { 2: abort }))
  const fail = () => {
    throw new Error('broken')
  }
  const failing = scheduler.run(options, () => inRuns(order, 'b', 3, { 2: fail }))
  const last = scheduler.run(options, now('last'))
  await assert.rejects(cancelled, /gave up/)
  await assert.rejects(failing, /broken/)
  await last
  assert.deepEqual(order, ['a1', 'a2', 'b1', 'b2', 'last'])
})

test('work between two of its runs leaves the queue when it is aborted', async () => {
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 2, training: 16 }, maxRows: 1 })
  const { order, work, release } = recorder()
  const cancel = new AbortController()
  let other: Promise<string> | undefined
  const decode = () => {
    other = scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, work('d'))
  }
  const options = { priority: 'training', peerId: 'a', signal: cancel.signal } as const
  const cancelled = scheduler.run(options, () => inRuns(order, 'a', 3, { 1: decode }))
  while (!order.includes('d')) await new Promise(resolve => setImmediate(resolve))
  assert.equal(scheduler.length, 1)
  cancel.abort(new Error('gave up'))
  await assert.rejects(cancelled, /gave up/)
  assert.equal(scheduler.length, 0)
  release('d')
  await other
  assert.deepEqual(order, ['a1', 'd'])
})

test('whoever had to wait for a long run has more than one step before the next', async () => {
  const clock = { now: 0 }
  const scheduler = new Scheduler({
    maxLength: 10,
    maxPassed: { prefill: 2, training: 16 },
    maxRows: 1,
    now: () => clock.now
  })
  const { order, now } = recorder()
  const decode = (name: string) => scheduler.run({ priority: 'decode', peerId: 'b', signal: forever }, now(name))
  let steps: Promise<unknown> | undefined
  const reading = async (): Promise<void> => {
    const first = decode('d1')
    clock.now += 3000
    await first
    await new Promise(resolve => setImmediate(resolve)) // the way to the client and back
    await decode('d2')
    // until as long has gone by as the run took
    clock.now += 4000
    await decode('d3')
  }
  const training = scheduler.run({ priority: 'training', peerId: 'a', signal: forever }, () =>
    inRuns(order, 't', 2, {
      1: () => {
        steps = reading()
      }
    })
  )
  await Promise.all([training, steps])
  assert.deepEqual(order, ['t1', 'd1', 'd2', 'd3', 't2'])
})
