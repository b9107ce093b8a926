import assert from 'node:assert/strict'
import { test } from 'node:test'
import { minute } from '../../common/units.ts'
import { dropoutMask } from '../../server/dropout.ts'
import { KvCache, SessionCache } from '../../server/kv-cache.ts'
import { ResidualCache } from '../../server/residual-cache.ts'

const shape = { blocks: { first: 3, end: 5 }, batch: 2, kvHeads: 2, headDim: 4, maxLength: 300 }

test('a session reserves for its longest row and gives it back once', () => {
  const cache = new KvCache(2 * 2 * 2 * 2 * 300 * 4 * 4)
  const reservation = cache.reserve(shape)
  assert.equal(cache.bytesFree, 0)
  assert.throws(() => cache.reserve({ ...shape, batch: 1 }), { code: 'BUSY', message: /2 x|1 x 300 positions needs .* free/ })
  reservation.release()
  reservation.release()
  assert.equal(cache.bytesFree, cache.maxBytes)
})

test('growing keeps what every row and head holds', () => {
  const cache = new SessionCache(shape)
  cache.grow(1)
  assert.equal(cache.capacity, 128)
  const { key } = cache.of(4)
  for (let row = 0; row < 4; row++) key.data[(row * 128 + 100) * 4 + 1] = row + 1
  cache.grow(129)
  assert.equal(cache.capacity, 256)
  for (let row = 0; row < 4; row++) assert.equal(cache.of(4).key.data[(row * 256 + 100) * 4 + 1], row + 1)
  cache.grow(300)
  assert.equal(cache.capacity, 300) // no more than the session may ever need
  assert.equal(cache.of(3).value.data.length, 2 * 2 * 300 * 4)
})

test('residuals: the oldest go when room is needed, a stranger gets none, time ends them', () => {
  let now = 0
  const cache = new ResidualCache<string>(100, () => now)
  const a = cache.keep('alice', 'a', 60)
  const b = cache.keep('alice', 'b', 30)
  assert.equal(cache.keep('alice', 'too large', 101), '')
  assert.throws(() => cache.take('mallory', a), { code: 'RESIDUALS_EVICTED' })
  cache.keep('bob', 'c', 50)
  assert.throws(() => cache.take('alice', a), { code: 'RESIDUALS_EVICTED', retryable: true })
  assert.equal(cache.take('alice', b), 'b')
  assert.throws(() => cache.take('alice', b), { code: 'RESIDUALS_EVICTED' }) // once only
  assert.equal(cache.bytes, 50)
  now = 11 * minute
  assert.notEqual(cache.keep('bob', 'd', 100), '')
  assert.equal(cache.bytes, 100)
})

test('dropout masks are reproducible, keep the expected share, and differ by seed, block and module', () => {
  const size = [4, 64, 64]
  const dropout = { probability: 0.25, seed: 2 ** 40 + 7 }
  const mask = dropoutMask(dropout, 3, 'self_attn.q_proj', size)
  assert.deepEqual(dropoutMask(dropout, 3, 'self_attn.q_proj', size).data, mask.data)
  const values = new Set(mask.data)
  assert.deepEqual(values, new Set([0, Math.fround(1 / 0.75)]))
  const kept = mask.data.reduce((sum, value) => sum + Number(value > 0), 0) / mask.data.length
  assert.ok(Math.abs(kept - 0.75) < 0.02, `kept ${kept}`)
  for (const other of [
    dropoutMask({ ...dropout, seed: 7 }, 3, 'self_attn.q_proj', size),
    dropoutMask(dropout, 4, 'self_attn.q_proj', size),
    dropoutMask(dropout, 3, 'self_attn.k_proj', size)
  ]) {
    assert.notDeepEqual(other.data, mask.data)
  }
})
