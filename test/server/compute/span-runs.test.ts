// Passes in several runs of the device: the numbers of one run, and turns for others between them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { int64 } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import type { NamedTensors } from '../../../proto/messages.ts'
import type { SpanCall } from '../../../server/compute/executor.ts'
import { loadSpan } from '../../../server/compute/span.ts'
import { backward, forward, forwardKeeping, recomputeRuns, runsOf } from '../../../server/compute/span-runs.ts'
import { noAdapter } from '../../../server/memory/adapter-store.ts'
import { KvCache } from '../../../server/memory/kv/kv-cache.ts'
import { type Runs, Scheduler } from '../../../server/schedule/scheduler.ts'
import { DecodeEngine } from '../../../server/sessions/engine.ts'
import { loraPorts, openModel, Remote, randomTensor, startCaller, startServer, temporaryFolder } from '../support.ts'

const blocks = { first: 0, end: 4 }
const each = [0, 1, 2, 3].map(first => ({ first, end: first + 1 }))
const pairs = [0, 2].map(first => ({ first, end: first + 2 }))
const never = new AbortController().signal

/** The blocks of `grouped`, ready to compute. */
async function load(context: Parameters<typeof temporaryFolder>[0], precision: 'float32' | 'int8' = 'float32') {
  const checkpoint = await openModel('grouped')
  const init = { checkpoint, precision, threads: 1, cacheDir: await temporaryFolder(context), prepackedBytes: () => 0 }
  const span = await loadSpan(init, blocks, never)
  context.after(() => span.programs.close())
  return { checkpoint, ...span }
}

async function finish<T>(runs: Runs<T>): Promise<{ value: T; count: number }> {
  for (let count = 1; ; count++) {
    const { done, value } = await runs.next()
    if (done) return { value, count }
  }
}

test('runs are of a power of two of blocks, as many as are computed in the time', () => {
  const of = (tokens: number, end = 12) => runsOf({ first: 2, end: 2 + end }, { tokens, forwardRate: 1000, runMs: 250 })
  assert.deepEqual(of(20), [{ first: 2, end: 14 }]) // 250 tokens of a block in the time: all 12 blocks
  assert.deepEqual(of(25), [
    { first: 2, end: 10 },
    { first: 10, end: 14 }
  ])
  assert.deepEqual(
    of(60).map(({ first }) => first),
    [2, 6, 10]
  )
  assert.equal(of(100).length, 6)
  assert.equal(of(2048).length, 12)
  // not so many runs that their graphs push each other out
  assert.deepEqual(of(2048, 80)[1], { first: 6, end: 10 })
  assert.deepEqual(runsOf(blocks, { tokens: 1e6, forwardRate: Infinity, runMs: 250 }), [blocks])
})

for (const precision of ['float32', 'int8'] as const) {
  test(`a pass in several runs gives the bytes of one: ${precision}`, async context => {
    const { checkpoint, executor } = await load(context, precision)
    const prefixes = Object.fromEntries(
      [0, 1, 2, 3].flatMap(block =>
        (['key', 'value'] as const).map(part => [portName.prefix(block, part), randomTensor(20 + block, [3, 2, 8])])
      )
    )
    const hidden = randomTensor(1, [2, 6, 32])
    const gradient = randomTensor(2, [2, 6, 32])
    const mask = int64([2, 6], [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
    const ports = { ...loraPorts(checkpoint, { first: 1, end: 4 }), [portName.prompt(2)]: randomTensor(5, [3, 32]) }
    const calls = [
      { hidden },
      { hidden, mask, ports, dropout: { probability: 0.25, seed: 7 } },
      { hidden, mask, ports: prefixes }
    ]
    for (const call of calls.map(fields => ({ blocks, ports: {}, ...fields }) as SpanCall)) {
      const whole = await executor.forward(call)
      const gradients = await executor.recompute(call, gradient)
      for (const runs of [[blocks], pairs, each]) {
        const plain = await finish(forward(executor, call, runs))
        assert.deepEqual(plain.value.data, whole.data)
        assert.equal(plain.count, runs.length)
        const { hidden: output, kept } = (await finish(forwardKeeping(executor, call, runs))).value
        assert.deepEqual(output.data, whole.data)
        assertSame((await finish(backward(executor, kept, gradient))).value, gradients)
        const again = await finish(recomputeRuns(executor, call, gradient, runs))
        assertSame(again.value, gradients)
        assert.equal(again.count, runs.length === 1 ? 1 : 2 * runs.length)
      }
    }
  })
}

function assertSame(actual: NamedTensors, expected: NamedTensors): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort())
  for (const [name, { data }] of Object.entries(expected)) assert.deepEqual(actual[name]!.data, data, name)
}

test('whoever waits for a token has a step between any two runs of a long pass, forward and backward', async context => {
  const { checkpoint, executor, decoder } = await load(context)
  const { numKeyValueHeads: kvHeads, headDim } = checkpoint.config
  const scheduler = new Scheduler({ maxLength: 10, maxPassed: { prefill: 2, training: 16 }, maxRows: 4 })
  const kvCache = new KvCache(1e6)
  const engine = new DecodeEngine({ decoder, scheduler, kvCache }, { pieceTokens: 32 })
  const cache = kvCache.open({ blocks, batch: 1, kvHeads, headDim, maxLength: 32 })
  const session = { cache, ...noAdapter }
  const token = randomTensor(3, [1, 1, 32])
  const order: string[] = []
  const steps: Promise<unknown>[] = []
  const step = async () => {
    await engine.step({ session, hidden: token, lengths: [1] }, { peerId: 'reader', signal: never })
    order.push('step')
  }
  /** A pass that has somebody want a token during each of its runs. */
  async function* watched<T>(pass: Runs<T>): Runs<T> {
    for (;;) {
      steps.push(step())
      const { done, value } = await pass.next()
      order.push('run')
      if (done) return value
      yield
    }
  }
  const training = { priority: 'training', peerId: 'trainer', signal: never } as const
  const call = { blocks, hidden: randomTensor(1, [1, 64, 32]), ports: loraPorts(checkpoint, blocks) } as SpanCall
  const { hidden, kept } = await scheduler.run(training, () => watched(forwardKeeping(executor, call, each)))
  await scheduler.run(training, () => watched(backward(executor, kept, hidden)))
  await Promise.all(steps)
  assert.deepEqual(order, Array(8).fill(['run', 'step']).flat())
  cache.release()
})

test('a server computes a session while a long request of another peer is under way', async context => {
  const checkpoint = await openModel('tiny')
  // so short that every block is a run of its own
  const server = await startServer(context, { checkpoint, passRunMs: 0.001 })
  const [reader, trainer] = await Promise.all(
    [1, 2].map(async () => new Remote(await startCaller(context), server, checkpoint))
  )
  const { hiddenSize } = checkpoint.config
  const session = await reader!.open({ maxLength: 512 })
  const token = randomTensor(3, [1, 1, hiddenSize])
  const hidden = randomTensor(1, [1, 1024, hiddenSize])
  let isDone = false
  const pass = trainer!.forward({ hidden }, { keepResiduals: true }).finally(() => {
    isDone = true
  })
  let steps = 0
  for (; !isDone; steps++) await session.step(token)
  // one at least between any two of twelve runs
  assert.ok(steps >= 11, `${steps} steps`)
  const { hidden: output, residualId } = await pass
  assert.deepEqual(output.data, (await trainer!.forward({ hidden })).hidden.data)
  const gradients = await trainer!.backward({ 'grad.hidden': hidden }, { residualId })
  assert.deepEqual(gradients, await trainer!.backward({ hidden, 'grad.hidden': hidden }))
  await session.close()
})
