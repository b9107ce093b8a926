import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { float32, int64 } from '../../../common/tensor.ts'
import { type Call, FakeSwarm, failure } from './fake-swarm.ts'

// Blocks 0..3 multiply by 2, 3, 4, 5.
const input = () => float32([2, 1, 2], [1, 2, 3, 4])
const ones = () => float32([2, 1, 2], [1, 1, 1, 1])
const prompts = (...blocks: number[]) =>
  Object.fromEntries(blocks.map(block => [`blocks.${block}.prompt`, float32([1, 2], [1, 0])]))

const only = (kind: Call['kind'], peerId: string) => (call: Call) => call.kind === kind && call.peerId === peerId

describe('a chain of remote blocks', () => {
  it('passes hidden states through all hops and gradients back, with the ports of each hop', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(0, 3), keepResiduals: true })
    // ((1 + 1) * 24 + 1) * 5, 2 * 120, ((3 + 1) * 24 + 1) * 5, 4 * 120
    assert.deepEqual([...pass.hidden.data], [245, 240, 485, 480])
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.hidden.data], [120, 120, 120, 120])
    assert.deepEqual([...gradients.ports['blocks.0.prompt']!.data], [240, 240])
    assert.deepEqual([...gradients.ports['blocks.3.prompt']!.data], [10, 10])
    assert.deepEqual(swarm.asked('forwardRequest'), ['a 0-2', 'b 2-4'])
    assert.deepEqual(swarm.asked('backwardRequest'), ['b 2-4', 'a 0-2'])
    assert.deepEqual(Object.keys(swarm.calls[0]!.message.tensors), ['hidden', 'blocks.0.prompt'])
    assert.deepEqual(Object.keys(swarm.calls[1]!.message.tensors), ['hidden', 'blocks.3.prompt'])
    assert.deepEqual(Object.keys(swarm.calls[2]!.message.tensors), ['grad.hidden'])
  })

  it('sends inputs and ports again with the gradient where nothing was kept', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const mask = int64([2, 1], [1, 1])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(1), mask })
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.ports['blocks.1.prompt']!.data], [120, 120])
    assert.deepEqual(Object.keys(swarm.calls[1]!.message.tensors), ['grad.hidden', 'hidden', 'mask', 'blocks.1.prompt'])
  })

  it('takes another server where one fails in the middle of a forward pass', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4], ['c', 2, 4])
    const dead = (call: Call) => {
      if (call.kind === 'forwardRequest' && call.first === 2 && swarm.calls.length === 2) throw failure('UNREACHABLE')
    }
    swarm.before = dead
    const peers = swarm.peers()
    const pass = await swarm.blocks({}, peers).forward(input())
    assert.deepEqual([...pass.hidden.data], [120, 240, 360, 480])
    const [first, second, third] = swarm.asked('forwardRequest')
    assert.equal(first, 'a 0-2', 'what was computed is not computed again')
    assert.deepEqual([second, third].toSorted(), ['b 2-4', 'c 2-4'])
    assert.deepEqual([...peers.banned], [swarm.calls[1]!.peerId])
  })

  it('asks a failed server again where it is the only one', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    swarm.before = () => {
      if (swarm.calls.length < 3) throw failure('BUSY')
    }
    const pass = await swarm.blocks().forward(input())
    assert.deepEqual([...pass.hidden.data], [120, 240, 360, 480])
    assert.equal(swarm.calls.length, 3)
  })

  it('gives up after a few tries, with hop and reason', async () => {
    const swarm = new FakeSwarm(['peer-alpha', 0, 4])
    swarm.before = () => {
      throw failure('UNREACHABLE', 'nobody there')
    }
    await assert.rejects(swarm.blocks().forward(input()), {
      code: 'BLOCKS_UNAVAILABLE',
      message:
        "no server is left for blocks 0..3, though tried several times (peer …er-alpha, blocks 0..3: nobody there); try again when one of them is back, or start another with 'swarm serve <model> --blocks 0-4 --join <address>'"
    })
    assert.equal(swarm.calls.length, 4)
  })

  it('does not try again what cannot work', async () => {
    const swarm = new FakeSwarm(['a', 0, 4], ['b', 0, 4])
    swarm.before = () => {
      throw failure('INVALID_ARGUMENT')
    }
    await assert.rejects(swarm.blocks().forward(input()), { code: 'INVALID_ARGUMENT' })
    assert.equal(swarm.calls.length, 1)
  })

  it('has the same server compute anew where it evicted what it kept', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(2), keepResiduals: true })
    swarm.before = call => {
      const { body } = call.message
      if (body.kind === 'backwardRequest' && body.residualId.startsWith('b/')) throw failure('RESIDUALS_EVICTED')
    }
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.hidden.data], [120, 120, 120, 120])
    assert.deepEqual([...gradients.ports['blocks.2.prompt']!.data], [40, 40])
    assert.deepEqual(swarm.asked('backwardRequest'), ['b 2-4', 'b 2-4', 'a 0-2'])
  })

  it('has another server compute anew where one is lost between forward and backward', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(3), keepResiduals: true })
    const spare = new FakeSwarm(['c', 2, 4]).announcements
    swarm.announcements.push(...spare)
    swarm.before = call => {
      if (call.peerId === 'b') throw failure('UNREACHABLE')
    }
    const gradients = await swarm
      .blocks()
      .forward(input())
      .then(() => pass.backward(ones()))
    assert.deepEqual([...gradients.hidden.data], [120, 120, 120, 120])
    assert.deepEqual([...gradients.ports['blocks.3.prompt']!.data], [10, 10])
    assert.equal(swarm.asked('backwardRequest').at(-1), 'a 0-2')
  })

  it('has two servers compute anew what one computed before', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(0, 3), keepResiduals: true })
    swarm.announcements.splice(0, 1, ...new FakeSwarm(['b', 0, 3], ['c', 3, 4]).announcements)
    const peers = swarm.peers()
    const later = await swarm.blocks({}, peers).forward(input(), { ports: prompts(0, 3), keepResiduals: true })
    swarm.announcements.splice(0, 2, ...new FakeSwarm(['d', 0, 1], ['e', 1, 4]).announcements)
    swarm.before = call => {
      if ('abc'.includes(call.peerId)) throw failure('UNREACHABLE')
    }
    for (const each of [pass, later]) {
      const gradients = await each.backward(ones())
      assert.deepEqual([...gradients.hidden.data], [120, 120, 120, 120])
      assert.deepEqual([...gradients.ports['blocks.0.prompt']!.data], [240, 240])
      assert.deepEqual([...gradients.ports['blocks.3.prompt']!.data], [10, 10])
    }
  })

  it('cuts a large batch into parts that travel by themselves, and adds their gradients', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const rows = float32(
      [5, 3, 2],
      Array.from({ length: 30 }, (_, index) => index)
    )
    const mask = int64([5, 3], Array(15).fill(1))
    const options = { ports: prompts(3), mask, keepResiduals: true, dropout: { probability: 0.5, seed: 7 } }
    const pass = await swarm.blocks({ subBatchTokens: 6 }).forward(rows, options)
    assert.deepEqual(
      [...pass.hidden.data],
      Array.from({ length: 30 }, (_, index) => (index * 24 + (index % 2 === 0 ? 1 : 0)) * 5)
    )
    assert.deepEqual(
      swarm.calls.map(call => call.message.tensors.hidden!.shape[0]),
      [1, 2, 2]
    )
    const seeds = swarm.calls.map(({ message: { body } }) => body.kind === 'forwardRequest' && body.dropout?.seed)
    assert.equal(new Set(seeds).size, 3, 'parts do not share dropout masks')
    const gradients = await pass.backward(float32([5, 3, 2], Array(30).fill(1)))
    assert.deepEqual([...gradients.hidden.data], Array(30).fill(120))
    assert.deepEqual([...gradients.ports['blocks.3.prompt']!.data], [75, 75])
  })

  it('stops the other parts of a batch when one fails', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    swarm.before = ({ message }) => {
      if (message.tensors.hidden!.data[0] === 2) throw failure('INVALID_ARGUMENT', 'the second part')
    }
    const rows = float32([3, 1, 2], [0, 0, 2, 2, 4, 4])
    await assert.rejects(swarm.blocks({ subBatchTokens: 1 }).forward(rows), /the second part/)
  })

  it('leaves out spans before the first port when nobody wants the gradient of the input', async () => {
    const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 2], ['c', 2, 4])
    const pass = await swarm.blocks().forward(input(), { ports: prompts(1), keepResiduals: true })
    const gradients = await pass.backward(ones(), { inputGradient: false })
    assert.deepEqual([...gradients.ports['blocks.1.prompt']!.data], [120, 120])
    assert.deepEqual(swarm.asked('backwardRequest'), ['c 2-4', 'b 1-2'])
  })

  it('computes slices of the blocks, counted as an array counts', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 1, 4])
    const all = swarm.blocks()
    assert.equal(all.length, 4)
    const middle = all.slice(1, 3)
    assert.deepEqual([...(await middle.forward(input())).hidden.data], [12, 24, 36, 48])
    assert.deepEqual(middle.slice(-1).blocks, { first: 2, end: 3 })
    assert.throws(() => all.slice(2, 2), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => all.slice(4), { code: 'INVALID_ARGUMENT' })
  })

  it('refuses hidden states, masks and gradients of a wrong shape', async () => {
    const blocks = new FakeSwarm(['a', 0, 4]).blocks()
    await assert.rejects(blocks.forward(float32([1, 2], [1, 2])), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(blocks.forward(float32([1, 1, 3], [1, 2, 3])), /expected \[batch, seq, 2\], found \[1,1,3\]/)
    await assert.rejects(blocks.forward(input(), { mask: int64([2], [1, 1]) }), { code: 'INVALID_ARGUMENT' })
    const pass = await blocks.forward(input())
    await assert.rejects(pass.backward(float32([1, 1, 2], [1, 2])), { code: 'INVALID_ARGUMENT' })
  })

  it('believes no answer of a wrong shape and asks another server', async () => {
    const swarm = new FakeSwarm(['a', 0, 4], ['b', 0, 4])
    const { request } = swarm
    let liar: string | undefined
    swarm.request = async function (peerId, ...rest) {
      const answer = await request.call(this, peerId, ...rest)
      liar ??= peerId
      return peerId === liar ? { ...answer, tensors: { hidden: float32([1, 1, 2], [0, 0]) } } : answer
    }
    const pass = await swarm.blocks().forward(input())
    assert.deepEqual([...pass.hidden.data], [120, 240, 360, 480])
    assert.equal(swarm.calls.length, 2)
  })

  it('ends at once when the signal aborts, also while it waits to try again', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const controller = new AbortController()
    swarm.before = () => {
      setTimeout(() => controller.abort(new SwarmError('ABORTED', 'enough')), 5)
      throw failure('UNREACHABLE')
    }
    const blocks = swarm.blocks({ retryDelaysMs: [60_000] })
    await assert.rejects(blocks.forward(input(), { signal: controller.signal }), { code: 'ABORTED', message: 'enough' })
    assert.equal(swarm.calls.filter(only('forwardRequest', 'a')).length, 1)
  })

  it('lists the blocks that nobody serves', async () => {
    const swarm = new FakeSwarm(['a', 0, 1], ['b', 3, 4])
    await assert.rejects(swarm.blocks({ retryDelaysMs: [] }).forward(input()), {
      code: 'BLOCKS_UNAVAILABLE',
      message: /no server for blocks 1\.\.2 \(2 servers of this model seen\)/
    })
    assert.equal(swarm.calls.length, 0)
  })
})
