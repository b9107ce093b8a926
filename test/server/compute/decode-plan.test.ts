import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planRuns, type RowStep } from '../../../server/compute/decode-plan.ts'
import { Slab } from '../../../server/memory/kv/slab.ts'

const heads = { kvHeads: 1, headDim: 8 }
const [a, b] = [new Slab(heads, 1024), new Slab(heads, 2048)]
const row = (slab: Slab, slot: number, past: number, added: number): RowStep => ({ slab, slot, past, added })
const plan = (steps: readonly RowStep[], alike = true) =>
  planRuns(steps, { alike }).map(({ slab, first, end, seq }) => [slab === a ? 'a' : 'b', first, end, seq])

test('single positions of a slab are one run, whatever lies between', () => {
  assert.deepEqual(plan([row(a, 5, 9, 1), row(a, 0, 3, 1), row(b, 2, 1, 1), row(a, 2, 0, 1)]), [
    ['a', 0, 6, 1],
    ['b', 2, 3, 1]
  ])
})

test('prompts of neighbours run together where padding is worth it', () => {
  assert.deepEqual(plan([row(a, 0, 0, 8), row(a, 1, 0, 6), row(a, 3, 0, 7)]), [
    ['a', 0, 2, 8],
    ['a', 3, 4, 7]
  ])
  assert.deepEqual(plan([row(a, 0, 0, 2), row(a, 1, 0, 60)]), [
    ['a', 0, 1, 2],
    ['a', 1, 2, 60]
  ])
  assert.equal(plan([row(a, 0, 0, 8), row(a, 1, 0, 6)], false).length, 2)
})

test('several positions behind others run alone', () => {
  assert.deepEqual(plan([row(a, 0, 4, 3), row(a, 1, 4, 3), row(a, 2, 4, 1)]), [
    ['a', 2, 3, 1],
    ['a', 0, 1, 3],
    ['a', 1, 2, 3]
  ])
})
