import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import type { ServerInit } from '../../../server/init.ts'
import { planMemory } from '../../../server/memory/plan.ts'
import { tinyPath } from '../../model/support.ts'

describe('the precision of a server', async () => {
  const checkpoint = await openCheckpoint(tinyPath)
  const range = { first: 0, end: 12 }
  const choosePrecision = (
    init: Pick<ServerInit, 'checkpoint' | 'dtype'>,
    blocks: { first: number; end: number },
    available: number
  ) => planMemory({ ...init, blocks }, available).precision
  /** float32 block weights of models/tiny, 12 blocks */
  const bytes = 12 * 4 * (2 * 192 + 2 * 192 * 192 + 2 * 64 * 192 + 3 * 512 * 192)

  test('is float32 unless asked for', () => assert.equal(choosePrecision({ checkpoint }, range, 1), 'float32'))

  test('is what was asked for, whatever the memory', () => {
    assert.equal(choosePrecision({ checkpoint, dtype: 'int4' }, range, 1e12), 'int4')
    assert.equal(choosePrecision({ checkpoint, dtype: 'float32' }, range, 1), 'float32')
  })

  test('is chosen by memory: float32 where half of it holds the blocks, else int8', () => {
    assert.equal(choosePrecision({ checkpoint, dtype: 'auto' }, range, 2 * bytes), 'float32')
    assert.equal(choosePrecision({ checkpoint, dtype: 'auto' }, range, 2 * bytes - 1), 'int8')
    assert.equal(choosePrecision({ checkpoint, dtype: 'auto' }, { first: 0, end: 6 }, bytes), 'float32')
  })
})
