// Turns, allowances and proxies, without a socket.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressList, arrivalOrigin } from '../../../gateway/http/origin.ts'
import { formatReset, RateLimits } from '../../../gateway/http/rate-limits.ts'
import { RequestScope } from '../../../gateway/http/scope.ts'
import { defaultSettings } from '../../../gateway/http/settings.ts'
import { TurnQueue } from '../../../gateway/http/turns.ts'
import { maxSessionsPerPeer } from '../../../server/limits.ts'

const forever = new AbortController().signal

/** Asks for a turn, and notes when it has come. */
function enter(admission: TurnQueue, caller: string, log: string[], signal = forever) {
  return admission.enter(caller, signal).then(leave => {
    log.push(caller)
    return leave
  })
}

test('callers take turns, however many requests one of them has sent before', async () => {
  const admission = new TurnQueue({ maxConcurrent: 1, maxQueued: 20 })
  const log: string[] = []
  const first = await enter(admission, 'a', log)
  const waiting = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map(caller => enter(admission, caller, log))
  assert.deepEqual([admission.running, admission.queued], [1, 7])
  first()
  first() // the second call changes nothing
  // whoever has had a turn leaves
  for (const entering of waiting) void entering.then(leave => leave())
  await Promise.all(waiting)
  assert.deepEqual(log, ['a', 'a', 'b', 'c', 'a', 'b', 'a', 'a'])
  assert.deepEqual([admission.running, admission.queued], [0, 0])
})

test('a queue that is full is a 503, one that a caller has half filled a 429; one that left makes room', async () => {
  const admission = new TurnQueue({ maxConcurrent: 1, maxQueued: 4 })
  const leave = await admission.enter('a', forever)
  const controller = new AbortController()
  const one = admission.enter('a', controller.signal)
  const two = admission.enter('a', forever)
  await assert.rejects(admission.enter('a', forever), { status: 429, code: 'queue_full', retryAfter: 2 })
  const others = ['b', 'c'].map(caller => admission.enter(caller, forever))
  await assert.rejects(admission.enter('d', forever), { status: 503, code: 'overloaded' })
  controller.abort(new Error('left'))
  await assert.rejects(one, /left/)
  assert.equal(admission.queued, 3)
  const last = admission.enter('d', forever)
  admission.close()
  for (const each of [two, ...others, last]) await assert.rejects(each, { status: 503 })
  await assert.rejects(admission.enter('e', forever), { status: 503 })
  leave()
  assert.deepEqual([admission.running, admission.queued], [0, 0])
})

test('an allowance of requests fills up again with time', () => {
  let now = 0
  const limits = new RateLimits(() => now)
  const limit = { requestsPerMinute: 2, tokensPerMinute: null }
  assert.deepEqual(limits.take('a', limit).requests, { limit: 2, remaining: 1, resetMs: 30_000 })
  assert.equal(limits.take('a', limit).waitMs, 0)
  const refused = limits.take('a', limit)
  assert.deepEqual([refused.waitMs, refused.refusedBy, refused.requests?.remaining], [30_000, 'requests', 0])
  assert.equal(limits.take('b', limit).waitMs, 0)
  now = 30_000
  assert.equal(limits.take('a', limit).waitMs, 0)
  assert.equal(limits.take('a', limit).waitMs, 30_000)
})

test('tokens are subtracted when they are known, and what is owed must be earned back', () => {
  let now = 0
  const limits = new RateLimits(() => now)
  const limit = { requestsPerMinute: null, tokensPerMinute: 60 }
  assert.deepEqual(limits.take('a', limit).tokens, { limit: 60, remaining: 60, resetMs: 0 })
  limits.spend('a', 90)
  const refused = limits.take('a', limit)
  assert.deepEqual([refused.refusedBy, refused.waitMs], ['tokens', 31_000])
  now = 31_000
  assert.equal(limits.take('a', limit).waitMs, 0)
})

test('times are written as OpenAI writes them', () => {
  assert.deepEqual([0, 120, 1500, 59_000, 60_000, 366_000].map(formatReset), [
    '0ms',
    '120ms',
    '1.5s',
    '59s',
    '1m0s',
    '6m6s'
  ])
})

test('addresses of one network of IPv6 share turns and limits: they are free', () => {
  const callerOf = (client: string) =>
    new RequestScope(undefined, { client, host: null, protocol: 'http', isForwarded: false }).caller
  assert.equal(callerOf('2001:db8:0:7::1'), callerOf('2001:db8:0:7:ffff::2'))
  assert.notEqual(callerOf('2001:db8:0:7::1'), callerOf('2001:db8:0:8::1'))
  assert.notEqual(callerOf('10.0.0.1'), callerOf('10.0.0.2'))
})

test('forwarded headers count from trusted proxies only, and only what they wrote', () => {
  const trusted = addressList(['10.0.0.0/8', '::1'])
  const clientOf = (peer: string, headers: Record<string, string>) => {
    const { client, host, protocol } = arrivalOrigin(
      { peer, isEncrypted: false, header: name => headers[name] },
      trusted
    )
    return [client, host, protocol]
  }
  const headers = {
    host: 'inner:8000',
    'x-forwarded-for': '1.1.1.1, 8.8.8.8, 10.2.2.2',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'Chat.Example.org'
  }
  assert.deepEqual(clientOf('192.168.1.1', headers), ['192.168.1.1', 'inner:8000', 'http'])
  // 1.1.1.1 was written by the client itself
  assert.deepEqual(clientOf('::ffff:10.1.1.1', headers), ['8.8.8.8', 'chat.example.org', 'https'])
  assert.deepEqual(clientOf('::1', { ...headers, 'x-forwarded-for': '[2001:db8::1]:443' })[0], '2001:db8::1')
  assert.deepEqual(clientOf('::1', { 'x-forwarded-for': 'nonsense' }), ['::1', null, 'http'])
  for (const text of ['10.0.0.0/33', 'proxy.example', '10.0.0.0/8/9', '']) {
    assert.throws(() => addressList([text]), { code: 'INVALID_ARGUMENT' })
  }
})

test('generates by default no more answers at once than a server takes sessions of one peer', () => {
  assert.ok(defaultSettings.maxConcurrent <= maxSessionsPerPeer)
})
