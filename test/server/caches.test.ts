import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../../common/random.ts'
import { minute } from '../../common/units.ts'
import { dropoutMask } from '../../server/dropout.ts'
import { KvCache, SessionCache } from '../../server/kv-cache.ts'
import { ResidualCache } from '../../server/residual-cache.ts'

const shape = { blocks: { first: 3, end: 5 }, batch: 2, kvHeads: 2, headDim: 4, maxLength: 300 }

test('a session reserves for its longest row and gives it back once', () => {
  const cache = new KvCache(2 * 2 * 2 * 2 * 300 * 4 * 4)
  const reservation = cache.reserve(shape)
  assert.equal(cache.bytesFree, 0)
  assert.throws(() => cache.reserve({ ...shape, batch: 1 }), {
    code: 'BUSY',
    message: /2 x|1 x 300 positions needs .* free/
  })
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

test('a session that is empty takes no memory, and its adapters count in the budget', () => {
  const cache = new KvCache(1_000_000)
  const reservation = cache.reserve(shape, 1000)
  assert.equal(reservation.cache.bytes, 0)
  assert.equal(reservation.bytes, 2 * 2 * 2 * 2 * 300 * 4 * 4 + 1000)
  reservation.cache.grow(1)
  assert.equal(reservation.cache.bytes, 2 * 2 * 2 * 2 * 128 * 4 * 4)
  assert.equal(cache.bytesReserved, reservation.bytes)
})

test('residuals: the oldest go when room is needed, a stranger gets none, time ends them', context => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const cache = new ResidualCache<string>({ maxBytes: 100 })
  const a = cache.keep('alice', 'a', 60)
  const b = cache.keep('alice', 'b', 30)
  assert.equal(cache.keep('alice', 'too large', 101), '')
  assert.throws(() => cache.take('mallory', a), { code: 'RESIDUALS_EVICTED' })
  cache.keep('bob', 'c', 50)
  assert.throws(() => cache.take('alice', a), { code: 'RESIDUALS_EVICTED', retryable: true })
  assert.equal(cache.take('alice', b), 'b')
  assert.throws(() => cache.take('alice', b), { code: 'RESIDUALS_EVICTED' }) // once only
  assert.equal(cache.bytes, 50)
  context.mock.timers.tick(9 * minute)
  const last = cache.keep('bob', 'd', 10)
  context.mock.timers.tick(2 * minute)
  assert.equal(cache.bytes, 10) // nobody has to ask for what is too old to go
  assert.equal(cache.peek('bob', last), 'd')
  assert.throws(() => cache.peek('alice', last), { code: 'RESIDUALS_EVICTED' })
  cache.drop(last)
  cache.drop(last)
  assert.equal(cache.bytes, 0)
})

test('dropout masks are those of xoshiro128** over seed, block and module', () => {
  const module = 'mlp.up_proj'
  let fnv1a = 0x811c9dc5n
  for (const byte of Buffer.from(module)) fnv1a = ((fnv1a ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n
  const random = createRandom(42, 7, Number(fnv1a))
  const state = Array.from({ length: 4 }, () => BigInt(random.uint32())) as [bigint, bigint, bigint, bigint]
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) % 2n ** 32n
  const expected = Array.from({ length: 64 }, () => {
    const result = (rotate((state[1] * 5n) % 2n ** 32n, 7n) * 9n) % 2n ** 32n
    const shifted = (state[1] << 9n) % 2n ** 32n
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = rotate(state[3], 11n)
    return Number(result) < 0.3 * 2 ** 32 ? 0 : Math.fround(1 / 0.7)
  })
  assert.deepEqual([...dropoutMask({ probability: 0.3, seed: 42 }, 7, module, [1, 8, 8]).data], expected)
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
