import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LoadMeter } from '../../../server/schedule/load-meter.ts'
import { checkMaxRate, limitRates, restMs } from '../../../server/schedule/rate-limit.ts'
import { Scheduler } from '../../../server/schedule/scheduler.ts'

const signal = new AbortController().signal
const settings = { maxLength: 2, maxPassed: { prefill: 1, training: 1 }, maxRows: 8 }

test('run and rest together keep the share and the tokens per second', () => {
  assert.equal(restMs({ ms: 30, tokens: 10 }, {}), 0)
  assert.equal(restMs({ ms: 30, tokens: 10 }, { share: 0.25 }), 90)
  assert.equal(restMs({ ms: 30, tokens: 10 }, { tokens: 100 }), 70)
  assert.equal(restMs({ ms: 200, tokens: 10 }, { tokens: 100 }), 0)
  const runs = fc.array(fc.record({ ms: fc.integer({ min: 1, max: 500 }), tokens: fc.integer({ min: 1, max: 900 }) }))
  fc.assert(
    fc.property(
      runs,
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 5000 }),
      (all, share, rate) => {
        const busy = all.reduce((sum, { ms }) => sum + ms, 0)
        const tokens = all.reduce((sum, run) => sum + run.tokens, 0)
        const whole = all.reduce((sum, run) => sum + run.ms + restMs(run, { share, tokens: rate }), 0)
        assert.ok(busy <= share * whole + 1e-6)
        assert.ok(tokens <= (rate * whole) / 1000 + 1e-6)
      }
    )
  )
})

test('what is announced is what is left', () => {
  const rates = { forwardRate: 4000, decodeRate: 800 }
  assert.deepEqual(limitRates(rates, 4, {}), rates)
  assert.deepEqual(limitRates(rates, 4, { share: 0.5 }), { forwardRate: 2000, decodeRate: 400 })
  assert.deepEqual(limitRates(rates, 4, { tokens: 250 }), { forwardRate: 1000, decodeRate: 800 })
  assert.throws(() => checkMaxRate({ share: 1.5 }), { code: 'INVALID_ARGUMENT', message: /found 1.5/ })
  assert.throws(() => checkMaxRate({ tokens: 0 }), { code: 'INVALID_ARGUMENT', message: /found 0/ })
})

test('a scheduler with a limit lets the device rest between runs', async () => {
  const scheduler = new Scheduler({ ...settings, maxRate: { tokens: 100 } })
  const started = performance.now()
  const job = () => scheduler.run({ priority: 'decode', peerId: 'a', tokens: 5, signal }, async () => {})
  await job()
  await job()
  await job()
  assert.ok(performance.now() - started >= 95)
})

test('who is refused hears when to come back, in proportion to what waits', async () => {
  const scheduler = new Scheduler(settings)
  const slow = (ms: number) =>
    scheduler.run({ priority: 'training', peerId: 'a', signal }, () => new Promise(resolve => setTimeout(resolve, ms)))
  await slow(400)
  await new Promise(resolve => setImmediate(resolve))
  // one runs, two wait
  const waiting = [slow(1), slow(1), slow(1)]
  await assert.rejects(slow(1), (error: { code: string; retryAfterMs: number }) => {
    assert.equal(error.code, 'BUSY')
    assert.ok(error.retryAfterMs >= 350 && error.retryAfterMs < 1000, `${error.retryAfterMs}`)
    return true
  })
  await Promise.all(waiting)
  assert.ok(scheduler.waitMs('training') > 0)
  assert.equal(scheduler.waitMs('decode'), 0)
})

test('a queue that nobody has seen for a while counts as empty', () => {
  const clock = { now: 0 }
  const load = new LoadMeter(() => clock.now)
  for (let i = 0; i < 50; i++) load.waited(100)
  assert.ok(Math.abs(load.waitMs - 100) < 1)
  clock.now = 15_001
  assert.equal(load.waitMs, 0)
})
