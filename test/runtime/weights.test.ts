import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { Float32Tensor } from '../../common/tensor.ts'
import { float32 } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph } from '../../graph/graph.ts'
import { createSession } from '../../runtime/session.ts'
import { closeTo, product, writeWeights } from './support.ts'

function linear(columns: number, inner: number): Graph {
  const g = new GraphBuilder('linear')
  const weight = g.weight('layers.0.weight', 'float32', [columns, inner])
  g.output('y', g.FusedMatMul(g.input('x', 'float32', ['rows', inner]), weight, { transB: true }))
  return g.build()
}

describe('weights', () => {
  for (const storage of ['mapped', 'prepacked'] as const) {
    for (const inline of [true, false]) {
      it(`are read from a safetensors file as it is, ${storage}, ${inline ? 'inline' : 'on the device thread'}`, async () => {
        await using file = await writeWeights({ other: [7], 'layers.0.weight': [24, 16] })
        const { folder, locate: weights } = file
        await using session = await createSession(linear(24, 16), { folder, weights, storage, inline })
        const x = float32(
          [3, 16],
          Array.from({ length: 48 }, (_, i) => Math.sin(i))
        )
        const { y } = await session.run({ x })
        assert.deepEqual(y!.shape, [3, 24])
        assert.ok(closeTo((y as Float32Tensor).data, product(x, file.tensors['layers.0.weight']!)))
      })
    }
  }

  it('of the wrong length are refused by name', async () => {
    await using file = await writeWeights({ 'layers.0.weight': [24, 16] })
    await assert.rejects(createSession(linear(24, 17), { folder: file.folder, weights: file.locate, inline: true }), {
      code: 'BAD_CHECKPOINT',
      message: 'layers.0.weight: expected 1632 bytes for float32[24,17], found 1536 in model.safetensors'
    })
  })

  it('whose file is missing are an error of that session alone', async () => {
    await using file = await writeWeights({ 'layers.0.weight': [24, 16] })
    const weights = () => ({ location: 'missing.safetensors', offset: 0, length: 24 * 16 * 4 })
    await assert.rejects(createSession(linear(24, 16), { folder: file.folder, weights }), {
      code: 'INTERNAL',
      message: /^compiling graph linear: .*missing\.safetensors/
    })
    await using session = await createSession(linear(24, 16), { folder: file.folder, weights: file.locate })
    assert.equal((await session.run({ x: float32([1, 16], new Float32Array(16)) })).y!.data.length, 24)
  })

  it('that were not bound to a file are an error', async () => {
    await assert.rejects(createSession(linear(2, 2), { inline: true }), {
      message: /weight layers\.0\.weight: expected its place in a file, found none/
    })
  })

  it('that are mapped take no memory of their own', {
    skip: process.platform !== 'linux' && 'reads /proc'
  }, async () => {
    const program = join(import.meta.dirname, 'mapped-memory.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program])
    const { weights, anonymous } = JSON.parse(stdout) as { weights: number; anonymous: Record<string, number> }
    assert.equal(weights, 64 * 2 ** 20)
    assert.ok(anonymous.mapped! < 0.25 * weights, `mapped: ${anonymous.mapped} bytes of anonymous memory`)
    assert.ok(anonymous.prepacked! > 0.75 * weights, `prepacked: ${anonymous.prepacked} bytes of anonymous memory`)
    // where copies are made (runtime/packer.ts)
    const { copied } = anonymous
    if (copied !== undefined) assert.ok(copied < 0.25 * weights, `copied: ${copied} bytes of anonymous memory`)
  })
})
