// Servers of an encoder: requests, memory, what they announce, outputs that are kept and requests that are computed together.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { int64 } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { EncoderForward } from '../../../server/compute/encoder-forward.ts'
import type { SpanCall } from '../../../server/compute/executor.ts'
import { loadSpan } from '../../../server/compute/span.ts'
import { maxPassed } from '../../../server/limits.ts'
import { Scheduler } from '../../../server/schedule/scheduler.ts'
import { bertConfig, writeRandomModel } from '../../../testing/random-model.ts'
import {
  assertClose,
  directForward,
  loraPorts,
  type Remote,
  randomTensor,
  rejectsWith,
  startRemote,
  temporaryFolder
} from '../support.ts'

const blocks = { first: 0, end: 4 }
const modules = ['attention.self.query', 'attention.self.value']

async function openBert(context: TestContext, fields: Record<string, unknown> = {}): Promise<Checkpoint> {
  const folder = join(await temporaryFolder(context), 'bert')
  await writeRandomModel(folder, bertConfig(fields))
  return await openCheckpoint(folder)
}

async function metricOf(remote: Remote, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${remote.server.metricsPort}/metrics`)).text()
  const line = page.split('\n').find(each => each.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length))
}

const encoded = (remote: Remote, result: string): Promise<number> =>
  metricOf(remote, `swarm_encoder_requests_total{result="${result}"}`)

describe('a server of an encoder alone', () => {
  test('computes forward and backward, has no KV cache and no sessions, and announces so', async context => {
    const checkpoint = await openBert(context)
    const remote = await startRemote(context, { checkpoint, blocks })
    const hidden = randomTensor(1, [2, 6, 32])
    const mask = int64([2, 6], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    const expected = await directForward(checkpoint, blocks, { hidden, mask })
    assertClose((await remote.forward({ hidden, mask })).hidden, expected, 1e-6)
    const ports = loraPorts(checkpoint, blocks, modules)
    const gradient = { 'grad.hidden': randomTensor(2, [2, 6, 32]) }
    const { residualId } = await remote.forward({ hidden, mask, ...ports }, { keepResiduals: true })
    const kept = await remote.backward(gradient, { residualId })
    const recomputed = await remote.backward({ hidden, mask, ...ports, ...gradient })
    assert.deepEqual(
      Object.keys(kept).sort(),
      ['grad.hidden', ...Object.keys(ports).map(name => `grad.${name}`)].sort()
    )
    for (const [name, found] of Object.entries(kept)) assertClose(recomputed[name], found, 1e-6, name)

    await rejectsWith(remote.open(), 'INVALID_ARGUMENT', /blocks encoder:0-4 have no sessions: .*forward requests/)
    const states = { encoder_hidden: hidden }
    await rejectsWith(
      remote.forward({ hidden, ...states }),
      'INVALID_ARGUMENT',
      /encoder_hidden: blocks of the encoder attend to no encoder/
    )
    const { memory, throughput } = remote.server
    assert.deepEqual([memory.kvCacheBytes, memory.prefixBytes, memory.adapterBytes], [0, 0, 0])
    assert.ok(memory.outputBytes > 0)
    assert.ok(throughput.forwardRate > 0)
    assert.equal(throughput.decodeRate, 0)
    const announced = remote.server.network.directory.get(remote.server.peerId)!
    assert.deepEqual([announced.encoderBlocks, announced.decodeRate, announced.cacheBytesFree], [4, 0, 0])
    assert.equal((await remote.info()).cacheBytesTotal, 0)
  })

  test('answers the same input with the same bytes, without computing it again', async context => {
    const checkpoint = await openBert(context)
    const remote = await startRemote(context, { checkpoint, blocks, metricsPort: 0 })
    const hidden = randomTensor(3, [1, 7, 32])
    const { hidden: first } = await remote.forward({ hidden })
    const { hidden: again } = await remote.forward({ hidden })
    assert.deepEqual(Buffer.from(again.data.buffer), Buffer.from(first.data.buffer))
    assert.deepEqual([await encoded(remote, 'computed'), await encoded(remote, 'reused')], [1, 1])
    assert.equal(await metricOf(remote, 'swarm_output_bytes'), 7 * 32 * 4)
    // whatever else the output depends on: another mask, other ports, other blocks, other states, a shape of the same numbers
    const mask = int64([1, 7], [1, 1, 1, 1, 1, 1, 0])
    const ports = loraPorts(checkpoint, blocks, modules)
    await remote.forward({ hidden, mask })
    await remote.forward({ hidden, ...ports })
    await remote.forward({ hidden }, { span: remote.span({ first: 1, end: 4 }) })
    await remote.forward({ hidden: randomTensor(4, [1, 7, 32]) })
    await remote.forward({ hidden: { ...hidden, shape: [7, 1, 32] } })
    assert.deepEqual([await encoded(remote, 'computed'), await encoded(remote, 'reused')], [6, 1])
    // a pass that a backward follows is computed, whatever is kept
    const { residualId } = await remote.forward({ hidden }, { keepResiduals: true })
    assert.notEqual(residualId, '')
    assert.equal(await encoded(remote, 'reused'), 1)
    // without reuse every request is computed
    const plain = await startRemote(context, { checkpoint, blocks, metricsPort: 0, prefixReuse: false })
    for (let round = 0; round < 2; round++) await plain.forward({ hidden })
    assert.deepEqual([await encoded(plain, 'computed'), await encoded(plain, 'reused')], [2, 0])
  })

  test('computes waiting requests of several clients in one run, with the numbers of each alone', async context => {
    const checkpoint = await openBert(context)
    const cacheDir = await temporaryFolder(context)
    const init = { checkpoint, precision: 'float32', cacheDir, threads: 1, prepackedBytes: () => 0 } as const
    const { executor, programs } = await loadSpan(init, blocks, new AbortController().signal)
    context.after(() => programs.close())
    const passes = context.mock.method(executor, 'forward')
    const scheduler = new Scheduler({ maxLength: 16, maxPassed, maxRows: 4 })
    const counts = { reused: 0, batched: 0, computed: 0 }
    const metrics = {
      encoded: (result: keyof typeof counts): void => {
        counts[result] += 1
      }
    }
    const encoder = new EncoderForward({ scheduler, metrics }, { mayJoin: true })
    const { signal } = new AbortController()
    const job = (peerId: string, tokens: number) => ({ priority: 'training', peerId, tokens, signal }) as const

    // something else is computed while they arrive
    const busy = Promise.withResolvers<void>()
    const before = scheduler.run(job('other', 1), () => busy.promise)
    const shapes = [
      [1, 5],
      [1, 16],
      [2, 9],
      [1, 12],
      [1, 40]
    ] as const
    const adapted = loraPorts(checkpoint, blocks, modules)
    const calls = [...shapes, [1, 6] as const].map(([batch, seq], index): SpanCall => {
      const mask = index === 3 ? int64([1, 12], [0, 0, ...Array<number>(10).fill(1)]) : undefined
      const ports = (index === 5 ? adapted : {}) as SpanCall['ports']
      return { blocks, hidden: randomTensor(10 + index, [batch, seq, 32]), mask, ports }
    })
    const answers = Promise.all(
      calls.map((call, index) => encoder.forward({ executor, call, runs: [blocks], job: job(`peer ${index % 3}`, 1) }))
    )
    busy.resolve()
    await before
    for (const [index, answer] of (await answers).entries()) {
      const { hidden, mask, ports } = calls[index]!
      assertClose(answer, await directForward(checkpoint, blocks, { hidden, mask, ports }), 1e-5, `input ${index}`)
    }
    // neither that with an adapter nor the much longer one is computed with others
    assert.deepEqual(counts, { reused: 0, batched: 4, computed: 2 })
    const rows = passes.mock.calls.map(({ arguments: [{ hidden }] }) => hidden.shape.slice(0, 2).join())
    assert.deepEqual(rows.sort(), ['1,40', '1,6', '5,16'])
  })
})
