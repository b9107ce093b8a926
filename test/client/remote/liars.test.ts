// Servers that are there and are no use: they do not answer, answer late, or answer with what is not finite.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RemoteSequential } from '../../../client/remote/chain.ts'
import { allFinite, tokensFinite } from '../../../client/remote/passes/finite.ts'
import { patience } from '../../../client/remote/passes/hedge.ts'
import { Punctuality } from '../../../client/remote/passes/punctuality.ts'
import type { SwarmError } from '../../../common/errors.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { announcement, type Call, FakeSwarm, openStreams } from './fake-swarm.ts'

const states = () => float32([1, 2, 2], [1, 2, 3, 4])
const expected = [...states().data].map(value => value * 120)
const options = { batch: 1, maxLength: 8 }
const never = new Promise<never>(() => {})
const values = ({ data }: Float32Tensor) => [...data]
const nan = (hidden: Float32Tensor) =>
  float32(
    hidden.shape,
    hidden.data.map(() => Number.NaN)
  )

/** A swarm in which `liar` promises most, and so is asked first. */
function createSwarm(...others: (readonly [string, number, number])[]) {
  const swarm = new FakeSwarm(['liar', 0, 4], ...others)
  swarm.announcements.splice(0, 1, { ...announcement('liar', 0, 4), decodeRate: 3e6, forwardRate: 3e8 })
  return swarm
}

const asked = (swarm: FakeSwarm, kind: Call['kind'], peerId: string): number =>
  swarm.calls.filter(call => call.kind === kind && call.peerId === peerId).length

/** How long it took, and what it gave. */
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const started = performance.now()
  return { result: await work(), ms: performance.now() - started }
}

describe('a server that does not answer', () => {
  it('costs a forward pass less than two seconds, the next nothing, and the request at it is cancelled', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    let cancelled = false
    const request = swarm.request.bind(swarm)
    swarm.request = (peerId, protocol, message, requesting) => {
      const onAbort = (): void => {
        cancelled = true
      }
      if (peerId === 'liar') requesting?.signal?.addEventListener('abort', onAbort)
      return request(peerId, protocol, message, requesting)
    }
    swarm.before = ({ peerId }) => (peerId === 'liar' ? never : undefined)
    const blocks = swarm.blocks()
    const first = await timed(() => blocks.forward(states()))
    assert.deepEqual(values(first.result.hidden), expected)
    assert.ok(first.ms > 500 && first.ms < 2000, `${first.ms} ms`)
    assert.ok(cancelled)
    const second = await timed(() => blocks.forward(states()))
    assert.deepEqual(values(second.result.hidden), expected)
    assert.equal(asked(swarm, 'forwardRequest', 'liar'), 1)
  })

  it('costs a backward pass as little, with the same gradients', async () => {
    const swarm = createSwarm(['first', 0, 2], ['second', 2, 4])
    const pass = await swarm.blocks().forward(states(), { keepResiduals: true })
    swarm.before = ({ peerId }) => (peerId === 'liar' ? never : undefined)
    const { result, ms } = await timed(() => pass.backward(float32([1, 2, 2], [1, 1, 1, 1])))
    assert.deepEqual(values(result.hidden), [120, 120, 120, 120])
    assert.ok(ms < 2000, `${ms} ms`)
    assert.equal(asked(swarm, 'backwardRequest', 'liar'), 1)
  })

  for (const kind of ['inferenceOpen', 'inferenceStep'] as const) {
    it(`costs a session less than two seconds at its ${kind}, the next nothing, and no stream stays open`, async () => {
      const open = openStreams.size
      const swarm = createSwarm(['first', 0, 2], ['second', 2, 4])
      swarm.before = call => (call.peerId === 'liar' && call.kind === kind ? never : undefined)
      const blocks = swarm.blocks()
      for (const [round, mostMs] of [2000, 400].entries()) {
        const { ms } = await timed(async () => {
          await using session = await blocks.openSession(options)
          assert.deepEqual(values(await session.step(states())), expected)
          assert.deepEqual(values(await session.step(float32([1, 1, 2], [5, 6]))), [600, 720])
        })
        assert.ok(ms < mostMs, `round ${round}: ${ms} ms`)
      }
      assert.equal(asked(swarm, kind, 'liar'), 1)
      assert.equal(openStreams.size, open)
    })
  }

  it('costs the first step of a session no more than what is promised and a little', async () => {
    const times: number[] = []
    // a busy machine delays single timers
    for (let tries = 0; tries < 3; tries++) {
      const swarm = createSwarm(['honest', 0, 4])
      swarm.before = ({ peerId, kind }) => (peerId === 'liar' && kind === 'inferenceStep' ? never : undefined)
      const { ms } = await timed(async () => {
        await using session = await swarm.blocks().openSession(options)
        assert.deepEqual(values(await session.step(states())), expected)
      })
      times.push(ms)
      if (ms < 450) return
    }
    assert.fail(`${times.join(', ')} ms`)
  })

  it('is not told from servers that all need as long: they are asked twice once, and not in each session', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    const peers = swarm.peers()
    swarm.before = ({ kind }) =>
      kind === 'inferenceStep' ? new Promise(resolve => setTimeout(resolve, 650)) : undefined
    for (let round = 0; round < 3; round++) {
      await using session = await swarm.blocks({}, peers).openSession(options)
      assert.deepEqual(values(await session.step(states())), expected)
    }
    const { length } = swarm.asked('inferenceOpen')
    assert.ok(length <= 4, `${length} sessions at servers`)
  })

  it('is waited for where there is no other', async () => {
    const swarm = createSwarm()
    const released = Promise.withResolvers<void>()
    swarm.before = () => released.promise
    setTimeout(released.resolve, 1200)
    const blocks = swarm.blocks()
    const [pass, session] = await Promise.all([blocks.forward(states()), blocks.openSession(options)])
    assert.deepEqual(values(pass.hidden), expected)
    await session.close()
  })

  it('is avoided by later runs too where it says that it has no work, and not where it says that it is busy', async () => {
    for (const [queue, isAvoided] of [
      [0, true],
      [3, false]
    ] as const) {
      const swarm = createSwarm(['honest', 0, 4])
      swarm.before = ({ peerId }) => (peerId === 'liar' ? never : undefined)
      const peers = swarm.peers({ queueOf: async () => queue })
      await swarm.blocks({}, peers).forward(states())
      await new Promise(resolve => setImmediate(resolve))
      assert.equal(peers.banned.has('liar'), isAvoided, `a queue of ${queue}`)
      assert.deepEqual(
        (await peers.route({ first: 0, end: 4 })).map(hop => hop.peerId),
        ['honest']
      )
    }
  })
})

describe('a server that is far slower than it promises', () => {
  it('is left between steps, and the session goes on as it was', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    swarm.before = ({ peerId, kind }) =>
      peerId === 'liar' && kind === 'inferenceStep' ? new Promise(resolve => setTimeout(resolve, 280)) : undefined
    await using session = await swarm.blocks().openSession({ ...options, maxLength: 16 })
    for (let step = 0; step < 8; step++) {
      const result = await session.step(float32([1, 1, 2], [step, 1]))
      assert.deepEqual(values(result), [step * 120, 120])
    }
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['honest']
    )
    const { length } = swarm.calls.filter(call => call.kind === 'inferenceStep' && call.peerId === 'liar')
    assert.ok(length <= 5, `${length} steps`)
  })

  it('is left as soon as it has cost more than a move', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    swarm.before = ({ peerId, kind }) =>
      peerId === 'liar' && kind === 'inferenceStep' ? new Promise(resolve => setTimeout(resolve, 180)) : undefined
    await using session = await swarm.blocks().openSession({ ...options, maxLength: 16 })
    for (let step = 0; step < 6; step++) await session.step(float32([1, 1, 2], [step, 1]))
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['honest']
    )
    const { length } = swarm.calls.filter(call => call.kind === 'inferenceStep' && call.peerId === 'liar')
    assert.ok(length <= 3, `${length} steps`)
  })

  it('is left where it is a little far away, and by later sessions too', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    // far enough that four times the promise is above what each step takes
    const peers = swarm.peers({ ping: async peerId => (peerId === 'liar' ? 45 : 55) })
    const tokens = async () => {
      await using session = await swarm.blocks({}, peers).openSession({ ...options, maxLength: 16 })
      for (let step = 0; step < 7; step++) {
        assert.deepEqual(values(await session.step(float32([1, 1, 2], [step, 1]))), [step * 120, 120])
      }
    }
    swarm.before = ({ peerId, kind }) =>
      peerId === 'liar' && kind === 'inferenceStep' ? new Promise(resolve => setTimeout(resolve, 190)) : undefined
    await tokens()
    const steps = asked(swarm, 'inferenceStep', 'liar')
    assert.ok(steps >= 1 && steps <= 5, `${steps} steps`)
    await tokens()
    assert.equal(asked(swarm, 'inferenceOpen', 'liar'), 1)
  })

  it('is not accused where it is left between steps: the client may have been as busy', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    const peers = swarm.peers({ ping: async peerId => (peerId === 'liar' ? 45 : 55), queueOf: async () => 0 })
    let steps = 0
    swarm.before = ({ peerId, kind }) => {
      if (peerId !== 'liar' || kind !== 'inferenceStep') return undefined
      steps += 1
      return steps === 1 ? undefined : new Promise(resolve => setTimeout(resolve, 500))
    }
    await using session = await swarm.blocks({}, peers).openSession({ ...options, maxLength: 16 })
    for (let step = 0; step < 5; step++) await session.step(float32([1, 1, 2], [step, 1]))
    assert.equal(session.route[0]!.peerId, 'honest')
    await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual([...peers.banned], [])
  })

  it('keeps its session where the others are no faster', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    swarm.announcements[1] = { ...swarm.announcements[1]!, decodeRate: 5 }
    swarm.before = ({ kind }) =>
      kind === 'inferenceStep' ? new Promise(resolve => setTimeout(resolve, 280)) : undefined
    await using session = await swarm.blocks().openSession({ ...options, maxLength: 16 })
    for (let step = 0; step < 6; step++) await session.step(float32([1, 1, 2], [step, 1]))
    assert.equal(asked(swarm, 'inferenceOpen', 'honest'), 0)
  })
})

describe('an answer that is not finite', () => {
  const lie = (swarm: FakeSwarm, ...liars: string[]) => {
    swarm.answer = ({ peerId }, hidden) => (liars.includes(peerId) ? nan(hidden) : hidden)
  }

  it('of a forward pass is replaced by that of another server, which is asked from then on', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    lie(swarm, 'liar')
    const peers = swarm.peers()
    const blocks = swarm.blocks({}, peers)
    assert.deepEqual(values((await blocks.forward(states())).hidden), expected)
    assert.ok(peers.banned.has('liar'))
    await blocks.forward(states())
    assert.equal(asked(swarm, 'forwardRequest', 'liar'), 1)
  })

  it('of a backward pass is replaced by that of others', async () => {
    const swarm = createSwarm(['first', 0, 2], ['second', 2, 4])
    const peers = swarm.peers()
    const pass = await swarm.blocks({}, peers).forward(states(), { keepResiduals: true })
    lie(swarm, 'liar')
    const { hidden } = await pass.backward(float32([1, 2, 2], [1, 1, 1, 1]))
    assert.deepEqual(values(hidden), [120, 120, 120, 120])
    assert.deepEqual([...peers.banned], ['liar'])
  })

  it('of a session is replaced, also in the middle of it', async () => {
    for (const from of [0, 2]) {
      const swarm = createSwarm(['honest', 0, 4])
      const peers = swarm.peers()
      await using session = await swarm.blocks({}, peers).openSession(options)
      for (let step = 0; step < 4; step++) {
        if (step === from) lie(swarm, 'liar')
        assert.deepEqual(values(await session.step(float32([1, 1, 2], [step, 1]))), [step * 120, 120])
      }
      assert.deepEqual(
        session.route.map(({ peerId }) => peerId),
        ['honest']
      )
      assert.ok(peers.banned.has('liar'))
    }
  })

  it('of a chain is found where hidden states go through the client, and its neighbours are not blamed', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4], ['a2', 0, 2], ['b2', 2, 4])
    swarm.isChained = true
    for (const index of [2, 3]) swarm.announcements[index] = { ...swarm.announcements[index]!, decodeRate: 50 }
    const peers = swarm.peers()
    await using session = await swarm.blocks({}, peers).openSession(options)
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['a', 'b']
    )
    lie(swarm, 'a')
    assert.deepEqual(values(await session.step(states())), expected)
    assert.deepEqual(values(await session.step(float32([1, 1, 2], [5, 6]))), [600, 720])
    assert.deepEqual(
      session.route.map(({ peerId }) => peerId),
      ['a2', 'b']
    )
    assert.deepEqual([...peers.banned], ['a'])
  })

  it('is never believed of servers that were given ordinary numbers: all are blamed, and the error names them', async () => {
    for (const others of [['honest'], []]) {
      const swarm = createSwarm(...others.map(name => [name, 0, 4] as const))
      const peers = swarm.peers()
      const blocks = swarm.blocks({}, peers)
      const pass = await blocks.forward(states(), { keepResiduals: true })
      lie(swarm, 'liar', ...others)
      const isNamed = (error: SwarmError): boolean => {
        assert.equal(error.code, 'NON_FINITE')
        for (const name of ['liar', ...others]) assert.match(error.message, new RegExp(`peer …${name.slice(-8)}`))
        return true
      }
      await assert.rejects(blocks.forward(states()), isNamed)
      assert.deepEqual(new Set(peers.banned), new Set(['liar', ...others]))
      await assert.rejects(pass.backward(states()), isNamed)
      const session = await blocks.openSession(options)
      await assert.rejects(session.step(states()), isNamed)
    }
  })

  it('of two servers is replaced by that of a third, at once', async () => {
    const swarm = createSwarm(['second', 0, 4], ['honest', 0, 4])
    swarm.announcements[1] = { ...swarm.announcements[1]!, decodeRate: 2e6, forwardRate: 2e8 }
    lie(swarm, 'liar', 'second')
    for (const ask of [
      async (blocks: RemoteSequential) => (await blocks.forward(states())).hidden,
      async (blocks: RemoteSequential) => {
        await using session = await blocks.openSession(options)
        return await session.step(states())
      }
    ]) {
      const peers = swarm.peers()
      // a pause of a minute before any try but the second
      const blocks = swarm.blocks({ retryDelaysMs: [0, 60_000] }, peers)
      assert.deepEqual(values(await ask(blocks)), expected)
      assert.deepEqual(new Set(peers.banned), new Set(['liar', 'second']))
    }
  })

  it("is the model's where what went in overflows or is not finite: nobody is blamed", async () => {
    const swarm = createSwarm(['honest', 0, 4])
    lie(swarm, 'liar', 'honest')
    const peers = swarm.peers()
    const blocks = swarm.blocks({}, peers)
    const huge = float32([1, 2, 2], [1e30, 2, 3, 4])
    const pass = await blocks.forward(huge, { keepResiduals: true })
    assert.ok(values(pass.hidden).every(Number.isNaN))
    const { hidden } = await pass.backward(states())
    assert.ok(values(hidden).every(Number.isNaN))
    await using session = await blocks.openSession(options)
    assert.ok(values(await session.step(huge)).every(Number.isNaN))
    const ports = { 'blocks.0.prompt': float32([1, 2], [1e30, 1]) }
    assert.ok(values((await blocks.forward(states(), { ports })).hidden).every(Number.isNaN))
    assert.deepEqual([...peers.banned], [])
    lie(swarm, 'liar')
    swarm.calls.length = 0
    await blocks.forward(nan(states()))
    assert.equal(swarm.calls.length, 1)
    assert.deepEqual([...peers.banned], [])
  })

  it('of a gradient is believed where it travels in float16, whose range a loss scale may leave', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    const peers = swarm.peers()
    const blocks = swarm.blocks({ codec: { gradients: 'fp16' } }, peers)
    const pass = await blocks.forward(states(), { keepResiduals: true })
    lie(swarm, 'liar', 'honest')
    assert.ok(values((await pass.backward(states())).hidden).every(Number.isNaN))
    assert.deepEqual([...peers.banned], [])
  })

  it('at padding means nothing', async () => {
    const swarm = createSwarm(['honest', 0, 4])
    swarm.answer = ({ peerId }, hidden) =>
      peerId === 'liar'
        ? float32(
            hidden.shape,
            hidden.data.map((value, at) => (at < 2 ? value : Number.NaN))
          )
        : hidden
    const peers = swarm.peers()
    const mask = { dtype: 'int64', shape: [1, 2], data: BigInt64Array.of(1n, 0n) } as const
    await swarm.blocks({}, peers).forward(states(), { mask })
    assert.equal(swarm.calls.length, 1)
    assert.deepEqual([...peers.banned], [])
  })
})

describe('whether numbers are finite', () => {
  it('is told of every element, whatever the length', () => {
    for (let length = 1; length < 14; length++) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        for (let at = 0; at < length; at++) {
          const data = new Float32Array(length).fill(-3.4028234663852886e38)
          assert.ok(allFinite(data))
          data[at] = value
          assert.ok(!allFinite(data), `${value} at ${at} of ${length}`)
        }
      }
    }
    assert.ok(allFinite(Float32Array.of(0, -0, 1e-45, 3.4e38)))
  })

  it('is told of tokens alone', () => {
    const hidden = float32([2, 2, 1], [1, Number.NaN, 2, 3])
    assert.ok(!tokensFinite(hidden, () => true))
    assert.ok(tokensFinite(hidden, (row, position) => row !== 0 || position !== 1))
  })
})

describe('requests that are asked twice', () => {
  it('wait longer where every server takes longer than it promises, and are a share of all', () => {
    const punctuality = new Punctuality({ leastMs: 200 })
    assert.equal(punctuality.patienceMs(20), 280)
    punctuality.took('a', 400, 20)
    assert.equal(punctuality.patienceMs(20), 200 + 4 * 20 * 20)
    punctuality.took('b', 20, 20)
    assert.equal(punctuality.patienceMs(20), 280)
    const found = Array.from({ length: 5 }, () => punctuality.mayHedge())
    assert.deepEqual(found, [true, true, true, true, false])
    punctuality.spare()
    assert.ok(punctuality.mayHedge())
    for (let asked = 0; asked < 10; asked++) punctuality.patienceMs(20)
    assert.ok(punctuality.mayHedge())
    assert.ok(!punctuality.mayHedge())
  })
})

it('waits for a server in the time alone in which this process could listen', async () => {
  const started = performance.now()
  const waited = patience(250, new AbortController().signal)
  // this process is busy: what came meanwhile has not been heard
  const busyUntil = performance.now() + 400
  setTimeout(() => {
    while (performance.now() < busyUntil);
  }, 1)
  await waited
  assert.ok(performance.now() - started > 500)
})
