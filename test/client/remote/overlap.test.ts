// Parts of a batch are under way together: servers that wait for each other to be asked would else wait for ever.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { type Call, FakeSwarm, failure } from './fake-swarm.ts'

/** Calls wait until each of the servers has one. */
function meeting(swarm: FakeSwarm, kind: Call['kind'], peers: readonly string[]): void {
  const met = Promise.withResolvers<void>()
  const present = new Set<string>()
  swarm.before = async call => {
    if (call.kind !== kind) return
    // the first of a chain has nothing to wait for
    if (call.peerId !== peers.at(-1) && !present.has(call.peerId)) return void present.add(call.peerId)
    present.add(call.peerId)
    if (peers.every(peer => present.has(peer))) met.resolve()
    await met.promise
  }
}

const rows = () => float32([4, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8])
const ones = () => float32([4, 1, 2], Array(8).fill(1))
const prompt = () => ({ 'blocks.0.prompt': float32([1, 2], [0.1, 0.7]) })

describe('parts of a batch', () => {
  it('keep every server of a chain at work, forward and backward', { timeout: 10_000 }, async () => {
    const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 3], ['c', 3, 4])
    meeting(swarm, 'forwardRequest', ['a', 'b', 'c'])
    const pass = await swarm.blocks({ subBatchTokens: 1 }).forward(rows(), { ports: prompt(), keepResiduals: true })
    meeting(swarm, 'backwardRequest', ['c', 'b', 'a'])
    await pass.backward(ones())
    for (const kind of ['forwardRequest', 'backwardRequest'] as const) {
      assert.deepEqual(Object.groupBy(swarm.asked(kind), name => name)['b 1-3']?.length, 4)
    }
  })

  it('keep every replica at work', { timeout: 10_000 }, async () => {
    const swarm = new FakeSwarm(['a', 0, 4], ['b', 0, 4])
    const met = Promise.withResolvers<void>()
    swarm.before = async () => {
      if (new Set(swarm.calls.map(({ peerId }) => peerId)).size === 2) met.resolve()
      await met.promise
    }
    const blocks = swarm.blocks({ subBatchTokens: 1 })
    await blocks.forward(rows())
    assert.deepEqual(swarm.asked('forwardRequest').toSorted(), ['a 0-4', 'a 0-4', 'b 0-4', 'b 0-4'])
    // batches of one part each, asked for together
    swarm.calls.length = 0
    await Promise.all([blocks.forward(float32([1, 1, 2], [1, 2])), blocks.forward(float32([1, 1, 2], [1, 2]))])
    assert.deepEqual(swarm.asked('forwardRequest').toSorted(), ['a 0-4', 'b 0-4'])
  })

  it('have the same gradients whatever comes back first, and wherever it was computed', async () => {
    const uneven = () => float32([4, 1, 2], [1, 1e-8, 3e7, 1e-8, -3e7, 1, 1 / 3, 0.1])
    const run = async (swarm: FakeSwarm, delay: (call: Call) => number = () => 0) => {
      swarm.before = async call => {
        for (let wait = delay(call); wait > 0; wait--) await new Promise(resolve => setImmediate(resolve))
      }
      const pass = await swarm.blocks({ subBatchTokens: 1 }).forward(rows(), { ports: prompt(), keepResiduals: true })
      const { hidden, ports } = await pass.backward(uneven())
      return [pass.hidden.data, hidden.data, ports['blocks.0.prompt']!.data]
    }
    const one = await run(new FakeSwarm(['a', 0, 4]))
    assert.deepEqual(await run(new FakeSwarm(['a', 0, 4], ['b', 0, 4])), one)
    let later = 40
    assert.deepEqual(await run(new FakeSwarm(['a', 0, 4], ['b', 0, 4]), () => (later -= 5)), one)
    const dying = new FakeSwarm(['a', 0, 4], ['b', 0, 4])
    assert.deepEqual(
      await run(dying, ({ peerId, kind }) => {
        if (peerId === 'b' && kind === 'backwardRequest') throw failure('UNREACHABLE')
        return 1
      }),
      one
    )
    assert.equal(dying.asked('backwardRequest').length, 6)
  })
})
