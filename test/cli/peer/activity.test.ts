// When a server's operator hears of what it does, and what.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ActivityReporter, describeActivity } from '../../../cli/peer/activity.ts'
import { GiB, MiB } from '../../../common/units.ts'
import { Activity } from '../../../server/observe/activity.ts'

function harness() {
  let now = 0
  const activity = new Activity(() => now)
  const server = { activity, sessions: 0, cacheBytesUsed: 0, cacheBytesTotal: 1 * GiB }
  const reporter = new ActivityReporter(server, { intervalMs: 60_000, now })
  return {
    activity,
    server,
    next(ms: number) {
      now += ms
      const report = reporter.next(now, 512 * MiB)
      return report && describeActivity(report)
    }
  }
}

test('an idle server says nothing, then that it is used, how, and once that it is not', () => {
  const { activity, server, next } = harness()
  for (let second = 0; second < 3600; second++) assert.equal(next(1000), null)
  server.sessions = 1
  server.cacheBytesUsed = 12 * MiB
  for (let step = 0; step < 20; step++) activity.add('inference', 1, 'a')
  const memory = 'KV cache 12.0 MiB of 1.0 GiB, memory 512.0 MiB'
  assert.equal(next(1000), `1 session, 1 peer, 20 requests in 1s, 20.0 tokens/s generated, ${memory}`)
  for (let second = 0; second < 59; second++) {
    activity.add('inference', 20, 'a')
    assert.equal(next(1000), null)
  }
  activity.add('forward', 3000, 'b')
  activity.add('backward', 3000, 'b')
  assert.equal(
    next(1000),
    `1 session, 2 peers, 61 requests in 1m00s, 19.7 tokens/s generated, 100 tokens/s trained or evaluated, ${memory}`
  )
  assert.equal(next(59_999), null)
  assert.equal(next(1), 'idle, 1 open session, memory 512.0 MiB')
  server.sessions = 0
  for (let second = 0; second < 3600; second++) assert.equal(next(1000), null)
  activity.add('forward', 128, 'c')
  assert.equal(
    next(1000),
    '1 peer, 1 request in 1s, 128 tokens/s trained or evaluated, KV cache 12.0 MiB of 1.0 GiB, memory 512.0 MiB'
  )
})

test('peers that computed lately are counted once, and no more than a bound are known', () => {
  let now = 0
  const activity = new Activity(() => now)
  for (let peer = 0; peer < 3000; peer++) activity.add('forward', 2, `peer ${peer}`)
  assert.equal(activity.peersWithin(1000), 1024)
  now = 2000
  activity.add('forward', 2, 'peer 2999')
  activity.add('forward', 2, 'peer 2999')
  assert.equal(activity.peersWithin(1000), 1)
  assert.deepEqual(activity.totals, { requests: 3002, tokens: { forward: 6004, backward: 0, inference: 0 } })
})
