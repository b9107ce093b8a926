import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GiB, MiB } from '../../../common/units.ts'
import { familyOf } from '../../../model/families/families.ts'
import { prepackedBytes } from '../../../server/memory/plan.ts'
import { checkWork, workingBytes } from '../../../server/memory/working-memory.ts'
import { checkCallShapes } from '../../../server/requests/passes.ts'
import { factorNumbers } from '../../../server/requests/ports.ts'
import { bertConfig } from '../../../testing/random-model.ts'

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

test('products with Kronecker factors count, which are many times wider than the module', () => {
  const raw = bertConfig({ hidden_size: 1024, num_attention_heads: 16 })
  const family = familyOf(raw)
  const checkpoint = { family, config: family.parseConfig(raw), identity: 'm', name: 'bert' }
  const blocks = { first: 0, end: 1 }
  const kronecker = (rows: number, columns: number, rank: number) => {
    const name = (part: string) => `blocks.0.kronecker.${rows}x${columns}.attention.self.query.${part}`
    return {
      [name('left')]: { dtype: 'float32', shape: [rows, columns] },
      [name('rightA')]: { dtype: 'float32', shape: [rank, 1024 / columns] },
      [name('rightB')]: { dtype: 'float32', shape: [1024 / rows, rank] }
    }
  }
  // as PEFT splits a module of this size, and as no method does
  const [usual, wide] = [kronecker(32, 32, 8), kronecker(1024, 1024, 4096)]
  assert.deepEqual(factorNumbers(usual, checkpoint), { most: 32 * 8 + 2 * 1024, all: 32 * 8 + 2 * 1024 })
  assert.equal(factorNumbers(wide, checkpoint).most, 1024 * 4096 + 2 * 1024)
  const hosted = { checkpoint, range: { first: 0, end: 4 }, workingBytes: 512 * MiB }
  const check = (ports: ReturnType<typeof kronecker>, training: boolean) =>
    checkCallShapes({ hidden: { dtype: 'float32', shape: [1, 64, 1024] }, ...ports }, hosted, { blocks, training })
  for (const training of [false, true]) {
    assert.equal(Object.keys(check(usual, training)).length, 3)
    assert.throws(() => check(wide, training), { code: 'INVALID_ARGUMENT', message: /would take about \d\.\d GiB/ })
  }
})
