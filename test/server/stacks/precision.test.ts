// Blocks of both stacks in 8 and 4 bits: on servers, and of every family of encoders.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Float32Tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { loadSpan } from '../../../server/compute/span.ts'
import { t5Config, writeRandomModel } from '../../../testing/random-model.ts'
import { randomTensor, startRemote, temporaryFolder } from '../support.ts'

/** Root of the mean square of the difference, relative to that of what is expected. */
function deviation(found: Float32Tensor, expected: Float32Tensor): number {
  const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value ** 2, 0)
  return Math.sqrt(sum(expected.data.map((value, index) => found.data[index]! - value)) / sum(expected.data))
}

test('both stacks of a server in 8 and 4 bits, in passes and in sessions', async context => {
  const folder = join(await temporaryFolder(context), 't5')
  await writeRandomModel(folder, t5Config({ d_model: 64, d_kv: 16, d_ff: 128 }))
  const checkpoint = await openCheckpoint(folder)
  const init = { checkpoint, blocks: { first: 0, end: 5 } }
  const hidden = randomTensor(1, [1, 5, 64])
  const states = { encoder_hidden: randomTensor(2, [1, 7, 64]) }
  const [encoder, decoder] = [
    { first: 0, end: 2 },
    { first: 2, end: 5 }
  ] as const
  const plain = await startRemote(context, init)
  for (const [dtype, most] of [
    ['int8', 0.03],
    ['int4', 0.35]
  ] as const) {
    const remote = await startRemote(context, { ...init, dtype })
    for (const [span, request] of [
      [encoder, { hidden }],
      [decoder, { hidden, ...states }]
    ] as const) {
      const { hidden: expected } = await plain.forward(request, { span: plain.span(span) })
      const { hidden: found } = await remote.forward(request, { span: remote.span(span) })
      const off = deviation(found, expected)
      assert.ok(off > 0 && off < most, `${dtype}, blocks ${span.first}-${span.end}: ${off}`)
    }
    const { hidden: whole } = await remote.forward({ hidden, ...states }, { span: remote.span(decoder) })
    const session = await remote.open({ blocks: decoder, ports: states })
    assert.ok(deviation(await session.step(hidden), whole) < 0.03, dtype)
    await session.close()
  }
})

const encoders = ['bert', 'deberta-v3', 'modernbert', 'mpnet', 'distilbert'] as const

test('every kind of encoder loads in 8 bits', async context => {
  const root = join(import.meta.dirname, '../../reference/families')
  const cacheDir = await temporaryFolder(context)
  const { signal } = new AbortController()
  for (const name of encoders) {
    const checkpoint = await openCheckpoint(join(root, name))
    const blocks = { first: 0, end: checkpoint.config.numBlocks }
    const call = { blocks, hidden: randomTensor(1, [1, 6, checkpoint.config.hiddenSize]), ports: {} }
    const outputs: Float32Tensor[] = []
    for (const precision of ['float32', 'int8'] as const) {
      const init = { checkpoint, precision, cacheDir, threads: 1, prepackedBytes: () => 0 } as const
      const { executor, programs, throughput } = await loadSpan(init, blocks, signal)
      outputs.push(await executor.forward(call))
      assert.equal(throughput.decodeRate, 0)
      await programs.close()
    }
    const off = deviation(outputs[1]!, outputs[0]!)
    assert.ok(off < 0.05, `${name}: ${off}`)
  }
})
