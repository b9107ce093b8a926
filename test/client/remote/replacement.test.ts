// What servers are given while one of their session's is being replaced: every position once, in order, and none left out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Float32Tensor, float32, type Tensor } from '../../../common/tensor.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import type { BodyOf } from '../../../proto/frame.ts'
import { announcement, type Call, FakeSwarm, failure, openStreams } from './fake-swarm.ts'

const position = (value: number): Float32Tensor => float32([1, 1, 2], [value, value])
const options = { batch: 1, maxLength: 8 }
const slow = (server: Announcement): Announcement => ({ ...server, decodeRate: 1 })
const breakOff = (peerId: string): void => {
  for (const stream of openStreams) if (stream.peerId === peerId) stream.abort(failure('UNREACHABLE', 'gone'))
}

/** First elements of the inputs that a server got, by position; fails where one comes before those in front of it. */
function inputsOf(swarm: FakeSwarm, peerId: string): number[] {
  const inputs: number[] = []
  for (const { message } of swarm.calls.filter(call => call.kind === 'inferenceStep' && call.peerId === peerId)) {
    const { hidden, starts } = message.tensors as { hidden: Float32Tensor; starts: Tensor<'int64'> }
    const start = Number(starts.data[0])
    assert.ok(
      start <= inputs.length,
      `${peerId}: a step begins at ${start}, positions ${inputs.length} to it are missing`
    )
    inputs.splice(start, Infinity, ...hidden.data.filter((_, index) => index % 2 === 0))
  }
  return inputs
}

describe('a session of which a server is being replaced', () => {
  it('gives the new one a step too that is answered meanwhile', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    swarm.announcements.push(slow(announcement('spare', 0, 2)))
    await using session = await swarm.blocks().openSession(options)
    await session.step(position(1))
    const replacing = Promise.withResolvers<void>()
    swarm.before = async ({ kind, peerId }: Call) => {
      if (kind === 'inferenceStep' && peerId === 'b') {
        // the first server goes when it has handed on; the second answers while a new first one is being opened
        breakOff('a')
        await replacing.promise
      }
      if (kind === 'inferenceOpen' && peerId === 'spare') {
        replacing.resolve()
        await turn() // the answer has come
      }
    }
    const second = await session.step(position(2))
    swarm.before = () => {}
    await session.step(position(3))
    assert.deepEqual([...second.data], [240, 240])
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['spare', 'b']
    )
    assert.deepEqual(inputsOf(swarm, 'spare'), [1, 2, 3])
    assert.deepEqual(inputsOf(swarm, 'b'), [6, 12, 18])
  })

  it('has the one before it hand on what that is still to be given again itself', async () => {
    const swarm = new FakeSwarm(['a', 0, 1], ['b', 1, 2], ['c', 2, 4])
    swarm.announcements.push(slow(announcement('spare', 1, 2)))
    swarm.isChained = true
    await using session = await swarm.blocks().openSession(options)
    await session.step(position(1))
    breakOff('b')
    await session.step(position(2))
    const routes = swarm.calls.filter(({ kind }) => kind === 'inferenceRoute')
    const told = routes.map(({ peerId, message }) => {
      const { previous, next, replay, keepNext } = message.body as BodyOf<'inferenceRoute'>
      return { peerId, previous, next: next && { peerId: next.peerId, replay: next.replay }, replay, keepNext }
    })
    assert.deepEqual(told, [
      { peerId: 'c', previous: 'spare', next: null, replay: false, keepNext: true },
      { peerId: 'a', previous: '', next: { peerId: 'spare', replay: true }, replay: true, keepNext: false }
    ])
    assert.deepEqual(inputsOf(swarm, 'spare'), [2, 4])
    assert.deepEqual(inputsOf(swarm, 'c'), [6, 12])
  })

  it('does not wait for another one whose session ends meanwhile', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    swarm.announcements.push(...[announcement('spare', 0, 2), announcement('other', 2, 4)].map(slow))
    swarm.isChained = true
    await using session = await swarm.blocks().openSession(options)
    await session.step(position(1))
    swarm.before = async ({ kind, peerId }: Call) => {
      if (kind !== 'inferenceOpen' || peerId !== 'spare' || !swarm.calls.every(call => call.peerId !== 'other')) return
      breakOff('b')
      await turn() // it has been heard
    }
    breakOff('a')
    const second = await session.step(position(2), { signal: AbortSignal.timeout(20_000) })
    assert.deepEqual([...second.data], [240, 240])
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['spare', 'other']
    )
    assert.deepEqual(inputsOf(swarm, 'other'), [6, 12])
  })
})

it('a session opens and goes on although many servers are gone and not yet forgotten', async () => {
  const swarm = new FakeSwarm(['a', 0, 4])
  const gone = ['b', 'c', 'd', 'e', 'f', 'g', 'h']
  swarm.announcements[0] = slow(swarm.announcements[0]!)
  swarm.announcements.push(...gone.map(peerId => announcement(peerId, 0, 4)))
  swarm.announcements.push(slow(slow(announcement('spare', 0, 4))))
  swarm.before = ({ kind, peerId }: Call) => {
    if (kind === 'inferenceOpen' && gone.includes(peerId)) throw failure('UNREACHABLE', 'connection refused')
  }
  await using session = await swarm.blocks().openSession(options)
  await session.step(position(1))
  const { peerId } = session.route[0]!
  assert.ok(!gone.includes(peerId))
  breakOff(peerId)
  assert.deepEqual([...(await session.step(position(2))).data], [240, 240])
})
