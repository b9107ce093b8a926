// What a server takes at once it announces: batches are cut so that they fit, and only then.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { KiB } from '../../../common/units.ts'
import { FakeSwarm, hiddenSize } from './fake-swarm.ts'

const bytesPerToken = 8 * hiddenSize + 8
const batch = () => float32([8, 100, hiddenSize], Array(8 * 100 * hiddenSize).fill(1))

/** A server of all blocks that takes so many tokens at once, beside `beside` bytes of ports. */
function swarmOf(tokens: number | null, beside = 0): FakeSwarm {
  const swarm = new FakeSwarm(['a', 0, 4])
  if (tokens !== null) {
    const requestBytes = 64 * KiB + tokens * bytesPerToken + beside
    swarm.announcements[0] = { ...swarm.announcements[0]!, requestBytes }
  }
  return swarm
}

const rowsOf = (swarm: FakeSwarm) => swarm.calls.map(({ message }) => message.tensors.hidden!.shape[0])

test('batches are cut into requests that a server announces to take, as they were cut where all fit', async () => {
  for (const [tokens, rows] of [
    [null, [8]],
    [800, [8]],
    [799, [4, 4]],
    [250, [2, 2, 2, 2]],
    [10, Array(8).fill(1)]
  ] as const) {
    const swarm = swarmOf(tokens)
    const { hidden } = await swarm.blocks().forward(batch())
    assert.deepEqual(rowsOf(swarm), rows, `${tokens} tokens`)
    assert.ok(hidden.data.every(value => value === 120) && hidden.shape.join() === `8,100,${hiddenSize}`)
  }
})

test('the ports that travel with each request count', async () => {
  const prompt = float32([1, hiddenSize], [1, 1])
  const ports = { 'blocks.0.prompt': prompt, 'blocks.9.prompt': prompt }
  const fits = swarmOf(800, 4 * hiddenSize)
  await fits.blocks().forward(batch(), { ports })
  assert.deepEqual(rowsOf(fits), [8])
  const tight = swarmOf(800, 4 * hiddenSize - 1)
  await tight.blocks().forward(batch(), { ports })
  assert.deepEqual(rowsOf(tight), [4, 4])
})
