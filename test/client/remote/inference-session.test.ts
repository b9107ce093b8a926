import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { FakeSwarm, failure, openStreams } from './fake-swarm.ts'

const states = () => float32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
const options = { batch: 2, maxLength: 4 }

describe('an inference session', () => {
  it('takes steps through every hop and counts the length of every row', async () => {
    const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 4])
    const ports = { 'blocks.2.prompt': float32([1, 2], [1, 1]) }
    await using session = await swarm.blocks().openSession({ ...options, ports })
    assert.deepEqual(swarm.asked('inferenceOpen').toSorted(), ['a 0-1', 'b 1-4'])
    assert.deepEqual(
      session.route.map(hop => hop.peerId),
      ['a', 'b']
    )
    const first = await session.step(states(), { lengths: [2, 1] })
    assert.deepEqual(
      [...first.data],
      [...states().data].map(value => (value * 6 + 1) * 20)
    )
    assert.deepEqual(session.lengths, [2, 1])
    await session.step(float32([2, 1, 2], [1, 1, 1, 1]))
    assert.deepEqual(session.lengths, [3, 2])
    const sent = swarm.calls.filter(call => call.kind === 'inferenceStep')
    assert.deepEqual(Object.keys(sent[0]!.message.tensors), ['hidden', 'lengths', 'starts'])
    assert.deepEqual(Object.keys(sent.at(-1)!.message.tensors), ['hidden', 'starts'])
  })

  it('closes its streams when it is closed', async () => {
    const before = openStreams.size
    const session = await new FakeSwarm(['a', 0, 1], ['b', 1, 4]).blocks().openSession(options)
    assert.equal(openStreams.size, before + 2)
    await session.close()
    await session.close()
    assert.equal(openStreams.size, before)
    await assert.rejects(session.step(states()), { code: 'INVALID_ARGUMENT', message: 'the session was closed' })
  })

  it('names hop, peer and blocks when a step fails, and closes every stream', async () => {
    const before = openStreams.size
    const swarm = new FakeSwarm(['peer-alpha', 0, 1], ['peer-bravo', 1, 4])
    const peers = swarm.peers()
    const session = await swarm.blocks({}, peers).openSession(options)
    swarm.before = call => {
      if (call.peerId === 'peer-bravo') throw failure('UNREACHABLE', 'gone')
    }
    const expected = { code: 'BLOCKS_UNAVAILABLE', message: /blocks 1\.\.3,.*peer …er-bravo, blocks 1\.\.3: gone/ }
    await assert.rejects(session.step(states()), expected)
    assert.equal(openStreams.size, before)
    assert.ok(peers.banned.has('peer-bravo'))
    await assert.rejects(session.step(states()), expected)
    await session.close()
  })

  it('opens on other servers when one refuses, and leaves no stream behind', async () => {
    const before = openStreams.size
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4], ['c', 2, 4])
    let refused: string | undefined
    swarm.before = call => {
      if (call.kind !== 'inferenceOpen' || call.first !== 2) return
      refused ??= call.peerId
      if (call.peerId === refused) throw failure('BUSY', 'the cache is full')
    }
    const session = await swarm.blocks().openSession(options)
    assert.equal(openStreams.size, before + 2)
    assert.equal(session.route[1]!.peerId, refused === 'b' ? 'c' : 'b')
    await session.close()
  })

  it('ends a step when the signal aborts, without blaming the server', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const peers = swarm.peers()
    const session = await swarm.blocks({}, peers).openSession(options)
    const controller = new AbortController()
    swarm.before = () => {
      controller.abort()
      return new Promise(() => {})
    }
    await assert.rejects(session.step(states(), { signal: controller.signal }), { code: 'ABORTED' })
    assert.deepEqual([...peers.banned], [])
  })

  it('refuses steps of a wrong shape, too long, or two at a time', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const session = await swarm.blocks().openSession(options)
    await assert.rejects(session.step(float32([1, 1, 2], [1, 2])), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(session.step(states(), { lengths: [3, 1] }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(session.step(states(), { lengths: [1] }), { code: 'INVALID_ARGUMENT' })
    const running = session.step(states())
    await assert.rejects(session.step(states()), { code: 'INVALID_ARGUMENT', message: /one at a time/ })
    await running
    await session.step(states())
    await assert.rejects(
      session.step(states()),
      /6 positions, but the session was opened for 4 \(open one with a larger maxLength\)/
    )
    await session.close()
    await assert.rejects(swarm.blocks().openSession({ batch: 0, maxLength: 1 }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(swarm.blocks().openSession({ batch: 1, maxLength: 1.5 }), { code: 'INVALID_ARGUMENT' })
  })

  describe('with an adapter', () => {
    const ports = { 'blocks.0.prompt': float32([1, 2], [1, 1]), 'blocks.2.prompt': float32([1, 2], [1, 1]) }
    /** What a step gives with these ports, and which tensors the openings since the last call brought, by server. */
    const session = async (swarm: FakeSwarm, blocks: ReturnType<FakeSwarm['blocks']>) => {
      const from = swarm.calls.length
      await using opened = await blocks.openSession({ ...options, ports })
      const { data } = await opened.step(states())
      assert.deepEqual(
        [...data],
        [...states().data].map(value => ((value + 1) * 6 + 1) * 20)
      )
      const openings = swarm.calls.slice(from).filter(({ kind }) => kind === 'inferenceOpen')
      return openings.map(({ peerId, message }) => `${peerId} ${Object.keys(message.tensors)}`).toSorted()
    }
    const sent = ['a blocks.0.prompt', 'b blocks.2.prompt']

    it('sends its tensors once to servers that keep them, and names them by their hash then', async () => {
      const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 4])
      swarm.kept = new Map()
      const blocks = swarm.blocks()
      assert.deepEqual(await session(swarm, blocks), sent)
      assert.deepEqual(await session(swarm, blocks), ['a ', 'b '])
      const both = await Promise.all([session(swarm, blocks), session(swarm, blocks)])
      assert.ok(both.flat().every(each => ['a ', 'b '].includes(each)))
      // what a server does not keep any more it is sent again
      for (const key of swarm.kept.keys()) if (key.startsWith('b ')) swarm.kept.delete(key)
      assert.deepEqual(await session(swarm, blocks), ['a ', 'b ', 'b blocks.2.prompt'])
      assert.deepEqual(await session(swarm, blocks), ['a ', 'b '])
    })

    it('sends them once where several sessions open at the same time', async () => {
      const swarm = new FakeSwarm(['a', 0, 4])
      swarm.kept = new Map()
      const blocks = swarm.blocks()
      const opened = await Promise.all([1, 2, 3].map(() => blocks.openSession({ ...options, ports })))
      const brought = swarm.calls.map(({ message }) => Object.keys(message.tensors).length)
      assert.deepEqual(brought.toSorted(), [0, 0, 2])
      for (const each of opened) await each.close()
    })

    it('sends them each time to servers of a release that knows no hashes, also where one answers in place of a newer', async () => {
      const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 4])
      const blocks = swarm.blocks()
      assert.deepEqual(await session(swarm, blocks), sent)
      assert.deepEqual(await session(swarm, blocks), sent)
      swarm.kept = new Map()
      await session(swarm, blocks)
      const before = openStreams.size
      swarm.kept = null
      assert.deepEqual(await session(swarm, blocks), ['a ', ...sent.slice(0, 1), 'b ', ...sent.slice(1)])
      assert.equal(openStreams.size, before)
      assert.deepEqual(await session(swarm, blocks), sent)
    })
  })
})
