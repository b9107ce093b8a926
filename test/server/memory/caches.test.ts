import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { minute } from '../../../common/units.ts'
import { dropoutMask } from '../../../server/compute/dropout.ts'
import { KvCache } from '../../../server/memory/kv/kv-cache.ts'
import { ResidualCache } from '../../../server/memory/residual-cache.ts'

const shape = { blocks: { first: 3, end: 5 }, batch: 2, kvHeads: 2, headDim: 4, maxLength: 300 }
/** keys and values of 64 positions of one row */
const step = 2 * 2 * 2 * 4 * 4 * 64

test('a session takes memory as its rows grow, and gives it back once', async () => {
  const cache = new KvCache(1_000_000)
  const session = cache.open(shape, 1000)
  assert.equal(cache.bytesUsed, 1000) // its adapters
  await session.reserve([1, 64])
  assert.equal(cache.bytesUsed, 1000 + 2 * step)
  await session.reserve([65, 64])
  assert.equal(cache.bytesUsed, 1000 + 3 * step)
  session.release()
  session.release()
  assert.equal(cache.bytesUsed, 0)
})

test('a session that would not fit if it were alone is refused at once', () => {
  const cache = new KvCache(10 * step)
  assert.throws(() => cache.open({ ...shape, maxLength: 900 }), {
    code: 'BUSY',
    message: /2 x 900 positions may need .* all there is/
  })
})

test('a row that finds no room waits until another session has left, or for so long and no longer', async () => {
  const cache = new KvCache(10 * step, { waitMs: 20 })
  const [first, second, third] = [cache.open(shape), cache.open(shape), cache.open({ ...shape, batch: 1 })] as const
  await first.reserve([256, 256])
  await assert.rejects(second.reserve([65, 128]), { code: 'BUSY', message: /waited 0.02 s .*3 sessions/ })
  assert.equal(cache.waiting, 0)
  const patient = new KvCache(10 * step)
  const [a, b] = [patient.open(shape), patient.open(shape)]
  await a.reserve([256, 256])
  patient.onShortage = () => patient.compact()
  const grown = b.reserve([65, 128])
  assert.equal(patient.waiting, 1)
  a.release()
  await grown
  assert.equal(patient.bytesUsed, 4 * step)
  const cancel = new AbortController()
  await third.reserve([64])
  const given = third.reserve([300], cancel.signal)
  cancel.abort(new Error('gave up'))
  await assert.rejects(given, /gave up/)
})

test('what others left behind between rows that stay is given back where somebody waits for it', async () => {
  const cache = new KvCache(10 * step)
  const [a, b, c] = [cache.open(shape), cache.open({ ...shape, batch: 1 }), cache.open({ ...shape, batch: 1 })] as const
  await b.reserve([64])
  const [row] = b.rows
  row!.length = 64
  const { data } = row!.slab.view(4, 'key', row!.slot, row!.slot + 1)
  for (let position = 0; position < 64; position++) data[position * 4] = position + 1
  await a.reserve([256, 256])
  a.release()
  cache.onShortage = () => cache.compact()
  await c.reserve([300])
  assert.equal(cache.bytesUsed, step + (step * 300) / 64)
  const moved = row!.slab.view(4, 'key', row!.slot, row!.slot + 1).data
  for (let position = 0; position < 64; position++) assert.equal(moved[position * 4], position + 1)
})

test('rows go on from what others hold', async () => {
  const cache = new KvCache(1_000_000)
  const session = cache.open({ ...shape, batch: 3 })
  await session.reserve([2, 2, 2])
  const keyOf = (index: number): number => {
    const { slab, slot } = session.rows[index]!
    return slab.view(3, 'key', slot, slot + 1).data[4]!
  }
  for (const [index, row] of session.rows.entries()) {
    row.length = 2
    row.slab.view(3, 'key', row.slot, row.slot + 1).data[4] = 10 + index
  }
  session.reorder([2, 0, 2])
  assert.deepEqual([0, 1, 2].map(keyOf), [12, 10, 12])
  session.reorder([1, 1, 1])
  assert.deepEqual([0, 1, 2].map(keyOf), [10, 10, 10])
  assert.equal(new Set(session.rows.map(({ slot }) => slot)).size, 3)
})

test('rows of many sessions lie side by side, those of a large one too', () => {
  const cache = new KvCache(Infinity)
  const sessions = [1, 2, 1].map(batch => cache.open({ ...shape, batch }))
  assert.deepEqual(
    sessions.flatMap(({ rows }) => rows.map(({ slot }) => slot)),
    [0, 1, 2, 3]
  )
  sessions[1]!.release()
  assert.deepEqual(cache.open({ ...shape, batch: 1 }).rows[0]!.slot, 1)
  const large = cache.open({ ...shape, batch: 40 })
  assert.equal(new Set(large.rows.map(({ slab }) => slab)).size, 3)
  assert.equal(large.rows.length, 40)
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

test('rows that attend to an encoder lie together if their sources are about as long, and keep them when they move', async () => {
  const attending = { ...shape, batch: 1, source: 5 }
  const cache = new KvCache(13 * step, { waitMs: 1000 })
  cache.onShortage = () => cache.compact()
  const [gone, short, medium] = [cache.open(attending), cache.open(attending), cache.open({ ...attending, source: 90 })]
  const [long, none] = [cache.open({ ...attending, source: 300 }), cache.open({ ...shape, batch: 1 })]
  const slabOf = ({ rows }: typeof gone) => rows[0]!.slab
  assert.equal(slabOf(gone), slabOf(medium))
  assert.equal(new Set([short, long, none].map(slabOf)).size, 3)
  assert.deepEqual(
    [slabOf(medium), slabOf(long), slabOf(none)].map(slab => slab.sourceCapacity),
    [256, 512, 0]
  )
  // 64 positions of the sequence beside 64, 64 and 128 of the encoder
  for (const session of [gone, short, medium]) await session.reserve([1])
  assert.equal(cache.bytesUsed, (2 + 2 + 3) * step)
  const [row] = medium.rows
  const before = row!.slab
  before.crossView(4, 'value', row!.slot, row!.slot + 1).data[256 * 4 + 89 * 4 + 3] = 7
  before.crossMask(row!.slot, row!.slot + 1).data.fill(1n, 0, 90)
  gone.release()
  // there is room only in what the session before has left
  await long.reserve([64])
  await none.reserve([64])
  assert.notEqual(row!.slab, before)
  assert.equal(row!.slab.crossView(4, 'value', row!.slot, row!.slot + 1).data[256 * 4 + 89 * 4 + 3], 7)
  const mask = row!.slab.crossMask(row!.slot, row!.slot + 1).data
  assert.deepEqual([mask[89], mask[90]], [1n, 0n])
})
