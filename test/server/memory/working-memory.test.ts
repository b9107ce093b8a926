import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GiB } from '../../../common/units.ts'
import { prepackedBytes } from '../../../server/memory/plan.ts'
import { checkWork, workingBytes } from '../../../server/memory/working-memory.ts'

const sizes = { hiddenSize: 2048, intermediateSize: 8192, numHeads: 32, headDim: 64 }
const work = { blocks: { first: 0, end: 8 }, batch: 32, seq: 2048, keys: 2048, training: false }

test('attention scores dominate long sequences and training holds them for every block', () => {
  const bytes = workingBytes(sizes, work)
  assert.ok(bytes > 2 * 32 * 32 * 2048 * 2048 * 4)
  assert.equal(workingBytes(sizes, { ...work, training: true }), ((8 + 3) * bytes) / 2)
  assert.equal(workingBytes(sizes, { ...work, batch: 1 }), bytes / 32)
})

test('work that would take too much memory is refused with a way out', () => {
  checkWork(sizes, { ...work, batch: 1 }, 4 * GiB)
  assert.throws(() => checkWork(sizes, work, 4 * GiB), {
    code: 'INVALID_ARGUMENT',
    message: /\[32, 2048\] tokens through 8 blocks .* GiB.* 4\.0 GiB .*send fewer rows/
  })
})

test('rearranged weights take half of what is free, or what two programs need where the user insists', () => {
  assert.equal(prepackedBytes('mapped', 100, 1000), 0)
  assert.equal(prepackedBytes('auto', 100, 1000), 500)
  assert.equal(prepackedBytes(undefined, 600, 1000), 500)
  assert.equal(prepackedBytes('prepacked', 600, 1000), 1200)
})
