// The memory plan of servers of an encoder, of a decoder that attends to it, and of both.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GiB, MiB } from '../../../common/units.ts'
import type { Checkpoint } from '../../../model/checkpoint/checkpoint.ts'
import { familyOf } from '../../../model/families/families.ts'
import { blockBytes, describePlan, memoryParts, planMemory } from '../../../server/memory/plan.ts'
import { t5Config } from '../../../testing/random-model.ts'

const raw = t5Config({ d_model: 512, d_kv: 64, num_heads: 8, d_ff: 1024, num_layers: 6, num_decoder_layers: 6 })
const family = familyOf(raw)
// what a plan reads of it
const checkpoint = { family, config: family.parseConfig(raw) } as Checkpoint
const elements = (block: number): number =>
  family.blockTensors(checkpoint.config, block).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)

test('an encoder has no KV cache but room for its outputs, and the parts add up to the budget', () => {
  const memoryBytes = 1 * GiB
  for (const [blocks, hasSessions] of [
    [{ first: 0, end: 6 }, false],
    [{ first: 5, end: 7 }, true],
    [{ first: 6, end: 12 }, true]
  ] as const) {
    const plan = planMemory({ checkpoint, blocks, memoryBytes }, 0)
    assert.deepEqual([plan.kvCacheBytes, plan.outputBytes], hasSessions ? [192 * MiB, 96 * MiB] : [0, 48 * MiB])
    const {
      budget,
      kv_cache_per_peer: _,
      prefixes: __,
      adapters: ___,
      frames_per_peer: ____,
      largest_frame: _____,
      ...parts
    } = memoryParts(plan)
    assert.equal(
      Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
      budget
    )
    assert.match(
      describePlan(plan),
      hasSessions ? /KV cache up to 192\.0 MiB/ : /outputs of the encoder up to 48\.0 MiB/
    )
    // an operator who names blocks is told of what these take
    const own = Array.from({ length: blocks.end - blocks.first }, (_, index) => elements(blocks.first + index))
    assert.equal(plan.weightBytes, 4 * own.reduce((sum, each) => sum + each, 0))
  }
  const none = planMemory({ checkpoint, blocks: { first: 0, end: 6 }, memoryBytes, prefixReuse: false }, 0)
  assert.equal(none.outputBytes, 0)
})

test('all blocks fit where their bytes do, and a share counts the largest', () => {
  const whole = 4 * Array.from({ length: 12 }, (_, block) => elements(block)).reduce((sum, each) => sum + each, 0)
  const largest = blockBytes(checkpoint, 'float32')
  assert.equal(largest, 4 * elements(6))
  assert.ok(whole < 11 * largest, 'a decoder has the larger blocks')
  // half of the rest is for weights
  const enough = 256 * MiB + 2 * whole + 1 * MiB
  const plan = planMemory(
    {
      checkpoint,
      memoryBytes: enough,
      peerBytes: 0,
      kvCacheBytes: 0,
      residualBytes: whole / 2,
      workingBytes: whole / 2
    },
    0
  )
  assert.deepEqual([plan.numBlocks, plan.weightBytes], [12, whole])
  assert.equal(planMemory({ checkpoint, numBlocks: 3, memoryBytes: 2 * GiB }, 0).weightBytes, 3 * largest)
})
