// Ranges of blocks by stack: as people type them, and as they are shown.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatStacked, formatTyped, joinRanges, listBlocks } from '../../common/stack-ranges.ts'

const t5 = { totalBlocks: 14, encoderBlocks: 6 }
const bert = { totalBlocks: 4, encoderBlocks: 4 }
const llama = { totalBlocks: 12 }

test('ranges that were typed are one range of the model', () => {
  const join = (...typed: Parameters<typeof joinRanges>[1]) => joinRanges(t5, typed)
  assert.deepEqual(join({ stack: 'encoder', first: 0, end: 6 }), { first: 0, end: 6 })
  assert.deepEqual(join({ stack: 'decoder', first: 1, end: 8 }), { first: 7, end: 14 })
  assert.deepEqual(join({ first: 4, end: 8 }), { first: 4, end: 8 })
  // whichever is typed first
  const both = [
    { stack: 'decoder', first: 0, end: 2 },
    { stack: 'encoder', first: 4, end: 6 }
  ] as const
  assert.deepEqual(join(...both), { first: 4, end: 8 })
  assert.deepEqual(joinRanges(llama, [{ stack: 'decoder', first: 2, end: 4 }]), { first: 2, end: 4 })
  const refusals = [
    [
      t5,
      [both[0], { stack: 'encoder', first: 0, end: 5 }],
      /encoder:0-5 and decoder:0-2 leave a gap: a server hosts one range/
    ],
    [t5, [{ first: 0, end: 7 }, both[0]], /encoder:0-6 decoder:0-1 and decoder:0-2 overlap/],
    [t5, [{ stack: 'encoder', first: 0, end: 7 }], /the encoder has 6 blocks, so encoder:0-6 is all of it/],
    [bert, [{ stack: 'decoder', first: 0, end: 1 }], /the model has no decoder, all its blocks are encoder:0-4/],
    [llama, [{ stack: 'encoder', first: 0, end: 1 }], /the model has no encoder, all its blocks are 0-12/]
  ] as const
  for (const [sizes, typed, message] of refusals) {
    assert.throws(() => joinRanges(sizes, typed), { code: 'INVALID_ARGUMENT', message })
  }
})

test('blocks are shown by stack where there is an encoder', () => {
  assert.equal(formatTyped(t5, { first: 4, end: 8 }), 'encoder:4-6 decoder:0-2')
  assert.equal(formatTyped(llama, { first: 4, end: 8 }), '4-8')
  assert.equal(formatStacked(t5, { first: 4, end: 8 }), 'encoder blocks 4..5 (2), decoder blocks 0..1 (2)')
  assert.equal(formatStacked(bert, { first: 0, end: 4 }), 'encoder blocks 0..3 (4)')
  assert.equal(formatStacked(llama, { first: 4, end: 8 }), 'blocks 4..7 (4)')
  assert.equal(listBlocks(t5, [0, 1, 3, 6, 7, 13]), 'encoder 0..1, 3, decoder 0..1, 7')
  assert.equal(listBlocks(llama, [0, 1, 3]), '0..1, 3')
})
