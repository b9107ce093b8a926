// One plan has every number of bytes, its parts add up, and a running server has exactly these numbers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silent } from '../../../common/logger.ts'
import { formatBytes, GiB, KiB, MiB } from '../../../common/units.ts'
import type { ByteBudget } from '../../../network/streams/byte-budget.ts'
import { maxPassed, minRequestTokens } from '../../../server/limits.ts'
import { cacheBytes } from '../../../server/memory/kv/slab.ts'
import {
  blockBytes,
  defaultWeightBytes,
  describePlan,
  type MemoryInit,
  type MemoryPlan,
  memoryParts,
  planLoaded,
  planMemory
} from '../../../server/memory/plan.ts'
import { createStores } from '../../../server/memory/stores.ts'
import { workingBytes } from '../../../server/memory/working-memory.ts'
import { ServerMetrics } from '../../../server/observe/metrics.ts'
import { SpanHost } from '../../../server/placement/span-host.ts'
import { Scheduler } from '../../../server/schedule/scheduler.ts'
import { openModel, randomTensor, rejectsWith, startRemote, temporaryFolder } from '../support.ts'

const named = { kvCacheBytes: 3 * MiB, residualBytes: 2 * MiB, workingBytes: 5 * MiB, peerBytes: 7 * MiB }
const ranges = [{}, { numBlocks: 5 }, { blocks: { first: 2, end: 9 } }]
const precisions = [{}, { dtype: 'int8' }, { dtype: 'int4' }, { dtype: 'auto' }] as const
const storages = [{}, { storage: 'mapped' }, { storage: 'prepacked' }] as const
const limits = [{ memoryBytes: 285 * MiB }, { memoryBytes: 1 * GiB }, { memoryBytes: 64 * GiB }, {}]

/** Every combination of what an operator may say. */
function* inits(checkpoint: MemoryInit['checkpoint']): Iterable<MemoryInit> {
  for (const range of ranges) {
    for (const precision of precisions) {
      for (const storage of storages) {
        for (const limit of limits) {
          yield { checkpoint, ...range, ...precision, ...storage, ...limit }
          yield { checkpoint, ...range, ...precision, ...storage, ...limit, ...named, maxConnections: 9 }
        }
      }
    }
  }
}

const reserved = ['program', 'weights', 'prepacked', 'kv_cache', 'residuals', 'working', 'frames', 'unused'] as const

/** What must hold of any plan. */
function checkPlan(plan: ReturnType<typeof planMemory>, init: MemoryInit): void {
  const parts = memoryParts(plan)
  const sum = reserved.reduce((total, part) => total + parts[part], 0)
  for (const [part, bytes] of Object.entries(parts)) assert.ok(bytes >= 0 && bytes < Infinity, part)
  if (plan.isLimited) {
    assert.equal(Math.round(sum), init.memoryBytes)
    assert.ok(plan.weightBytes + plan.prepackedBytes <= plan.weightBudgetBytes)
    assert.equal(plan.budgetBytes, init.memoryBytes)
  } else if (init.blocks === undefined && init.numBlocks === undefined) {
    assert.ok(plan.weightBytes <= plan.weightBudgetBytes && plan.weightBudgetBytes <= plan.budgetBytes)
  }
  if (init.storage === 'mapped') assert.equal(plan.prepackedBytes, 0)
  for (const key of ['kvCacheBytes', 'residualBytes', 'workingBytes', 'peerBytes', 'maxConnections'] as const) {
    if (init[key] !== undefined) assert.equal(plan[key], init[key], key)
  }
  assert.ok(plan.kvCacheBytesPerPeer <= plan.kvCacheBytes && plan.prefixBytes <= plan.kvCacheBytes)
  assert.ok(plan.maxFrameBytes <= plan.bytesPerPeer && plan.bytesPerPeer <= plan.peerBytes)
}

test('whatever an operator says, the parts add up to the budget, before and after the weights are loaded', async () => {
  const checkpoint = await openModel('tiny')
  let count = 0
  for (const init of inits(checkpoint)) {
    for (const available of [1 * GiB, 24 * GiB]) {
      const plan = planMemory(init, available)
      checkPlan(plan, init)
      const estimated = plan.numBlocks * blockBytes(checkpoint, plan.precision)
      assert.equal(plan.weightBytes, estimated)
      // weights that take a little more than was reckoned, and other programs that have taken memory meanwhile
      for (const loaded of [
        { weightBytes: estimated, available },
        { weightBytes: estimated * 1.02, available: 100 * MiB }
      ]) {
        const after = planLoaded(plan, init, loaded)
        checkPlan(after, init)
        if (init.storage !== 'prepacked') assert.ok(after.prepackedBytes <= loaded.available / 2)
      }
      count += 1
    }
  }
  assert.equal(count, 3 * 4 * 3 * 4 * 2 * 2)
})

test('a limit is divided as docs/operating.md says, and without one each part has its own', async () => {
  const checkpoint = await openModel('tiny')
  const inMiB = (plan: ReturnType<typeof planMemory>): Record<string, number> =>
    Object.fromEntries(Object.entries(memoryParts(plan)).map(([part, bytes]) => [part, bytes / MiB]))
  const one = blockBytes(checkpoint, 'float32') / MiB
  const limited = planMemory({ checkpoint, memoryBytes: 8 * GiB + 256 * MiB }, 0)
  assert.deepEqual(inMiB(limited), {
    program: 256,
    weights: 12 * one,
    prepacked: 4608 - 12 * one,
    kv_cache: 1024,
    residuals: 1024,
    working: 1024,
    frames: 512,
    unused: 0,
    budget: 8192 + 256,
    kv_cache_per_peer: 768,
    prefixes: 512,
    adapters: 256,
    frames_per_peer: 256,
    largest_frame: 224
  })
  assert.equal(limited.maxConnections, 1024)
  assert.equal(
    describePlan(limited),
    `12 of 12 blocks of ${formatBytes(one * MiB)} in float32: 4.5 GiB of 8.3 GiB are for weights (this program 256.0 MiB, ` +
      'KV cache up to 1.0 GiB, residuals 1.0 GiB, working memory 1.0 GiB, frames of peers 512.0 MiB)'
  )
  const free = planMemory({ checkpoint }, 20 * GiB)
  // swarm doctor reckons with the same
  assert.equal(defaultWeightBytes(20 * GiB), free.weightBudgetBytes)
  assert.deepEqual(
    { ...inMiB(free), unused: 0 },
    {
      program: 0,
      weights: 12 * one,
      prepacked: 10 * 1024,
      kv_cache: 1024,
      residuals: 1024,
      working: 4096,
      frames: 2560,
      unused: 0,
      budget: 18 * 1024,
      kv_cache_per_peer: 768,
      prefixes: 512,
      adapters: 256,
      frames_per_peer: 1024,
      largest_frame: (65_536 * (8 * 192 + 8)) / MiB + 512
    }
  )
  assert.equal(
    describePlan(free),
    `12 of 12 blocks of ${formatBytes(one * MiB)} in float32: 13.8 GiB of 18.0 GiB are for weights; the rest grows with requests, ` +
      'each part to a limit of its own: KV cache up to 1.0 GiB, residuals 1.0 GiB, working memory 4.0 GiB, frames of peers 2.5 GiB'
  )
  assert.equal(planMemory({ checkpoint, prefixReuse: false, cacheSharePerPeer: 1 }, 1 * GiB).prefixBytes, 0)
  const small = planMemory({ checkpoint, memoryBytes: 300 * MiB }, 0)
  assert.deepEqual([small.maxConnections, small.kvCacheBytes, small.maxFrameBytes], [128, 11 * MiB, 1232 * KiB])
})

test('a running server has the numbers of its plan: stores, requests, frames, metrics', async context => {
  const checkpoint = await openModel('grouped')
  let refusals = 0
  for (const init of [
    { memoryBytes: 300 * MiB, storage: 'auto' },
    { memoryBytes: 1 * GiB, dtype: 'int8', storage: 'prepacked', kvCacheBytes: 2 * MiB, cacheSharePerPeer: 0.5 },
    { kvCacheBytes: 4 * MiB, residualBytes: 1 * MiB, workingBytes: 3 * MiB, peerBytes: 8 * MiB, prefixReuse: false }
  ] as const) {
    const planned = planMemory({ checkpoint, ...init }, process.availableMemory())
    const remote = await startRemote(context, { checkpoint, storage: 'mapped', metricsPort: 0, ...init })
    const { server } = remote
    const plan = server.memory
    checkPlan(plan, { checkpoint, ...init })
    const isLimited = 'memoryBytes' in init
    const [known, found] = [planned, plan].map(({ weightBytes, prepackedBytes, budgetBytes, ...rest }) =>
      // what is free changes all the time
      isLimited ? rest : { ...rest, weightBudgetBytes: 0, maxConnections: 0 }
    )
    assert.deepEqual(found, known)

    const stores = createStores(plan)
    assert.equal(stores.kvCache.maxBytes, plan.kvCacheBytes)
    assert.equal(stores.kvCache.bytesPerPeer, plan.kvCacheBytesPerPeer)
    assert.equal(stores.prefixes?.maxBytes ?? 0, plan.prefixBytes)
    assert.equal(stores.adapters.maxBytes, plan.adapterBytes)
    assert.equal(stores.residuals.maxBytes, plan.residualBytes)
    const { cacheBytesTotal, residualBytesTotal } = await remote.info()
    assert.deepEqual([cacheBytesTotal, residualBytesTotal], [plan.kvCacheBytes, plan.residualBytes])

    const { budget } = server.network as typeof server.network & { budget: ByteBudget }
    assert.deepEqual([budget.limit, budget.perPeer], [plan.peerBytes, plan.bytesPerPeer])
    assert.equal(server.network.directory.get(server.peerId)!.requestBytes, plan.maxFrameBytes)

    // as many rows as the working memory holds are computed, one more is refused; where that is not the limit of time first
    const { config } = checkpoint
    const [seq, all] = [64, server.range]
    const rows = Math.floor(
      plan.workingBytes / workingBytes(config, { blocks: all, batch: 1, seq, keys: seq, training: false })
    )
    if (rows * seq < minRequestTokens) {
      const { hidden } = await remote.forward({ hidden: randomTensor(1, [rows, seq, config.hiddenSize]) })
      assert.equal(hidden.shape[0], rows)
      await rejectsWith(
        remote.forward({ hidden: randomTensor(1, [rows + 1, seq, config.hiddenSize]) }),
        'INVALID_ARGUMENT',
        new RegExp(`at most ${formatBytes(plan.workingBytes)} on one request`)
      )
      refusals += 1
    }
    // a session may take what one peer may hold, and no more
    const shape = { kvHeads: config.numKeyValueHeads, headDim: config.headDim }
    const bytesOfSession = (batch: number): number => batch * cacheBytes(shape, config.numBlocks, seq)
    const batch = Math.floor(plan.kvCacheBytesPerPeer / bytesOfSession(1))
    const session = await remote.open({ batch, maxLength: seq })
    await session.close()
    await rejectsWith(
      remote.open({ batch: batch + 1, maxLength: seq }),
      'BUSY',
      new RegExp(`${formatBytes(plan.kvCacheBytesPerPeer)} are all there is for one peer`)
    )

    const page = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text()
    const told = [...page.matchAll(/^swarm_memory_plan_bytes\{part="(\w+)"\} (.+)$/gm)]
    assert.deepEqual(Object.fromEntries(told.map(([, part, bytes]) => [part, Number(bytes)])), memoryParts(plan))
    assert.match(page, new RegExp(`^swarm_kv_cache_limit_bytes ${plan.kvCacheBytes}$`, 'm'))
    assert.match(page, new RegExp(`^swarm_residual_limit_bytes ${plan.residualBytes}$`, 'm'))
    assert.ok(plan.weightBytes >= server.weightBytes)
  }
  assert.equal(refusals, 2)
})

test('programs rearrange as many bytes of weights as the plan has for it, and not more than what is free then', async context => {
  const checkpoint = await openModel('grouped')
  const cacheDir = await temporaryFolder(context)
  const init = { checkpoint, cacheDir, threads: 1, blocks: { first: 1, end: 3 } }
  for (const [more, expected] of [
    [{ storage: 'mapped' }, () => 0],
    [
      { storage: 'prepacked', memoryBytes: 300 * MiB },
      ({ weightBytes, weightBudgetBytes }) => weightBudgetBytes - weightBytes
    ],
    [{ memoryBytes: 2 ** 50, dtype: 'int4' }, ({ weightBudgetBytes }) => weightBudgetBytes / 2]
  ] as const satisfies readonly (readonly [Partial<MemoryInit>, (plan: MemoryPlan) => number])[]) {
    const plan = planMemory({ ...init, ...more }, process.availableMemory())
    const components = {
      scheduler: new Scheduler({ maxLength: 1, maxPassed, maxRows: 1 }),
      stores: createStores(plan),
      logger: silent,
      findServers: async () => []
    }
    const metrics = new ServerMetrics(() => assert.fail('nobody asks'))
    const host = new SpanHost({ ...components, metrics }, { ...init, ...more }, plan)
    await host.choose(context.signal)
    await host.load(context.signal)
    const { prepackedBytes } = host.memory
    assert.equal(host.span!.programs.prepackedBytes, prepackedBytes)
    assert.ok(prepackedBytes <= expected(host.memory))
    if (more.storage !== undefined) assert.equal(prepackedBytes, expected(host.memory))
    else assert.ok(prepackedBytes > 0)
    assert.equal(host.precision, plan.precision)
    await host.close()
  }
})
