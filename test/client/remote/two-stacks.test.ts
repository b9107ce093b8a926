// Blocks of an encoder and of a decoder that attends to it: what travels to which server, and what comes back.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RemoteSequential } from '../../../client/remote/chain.ts'
import { float32, int64 } from '../../../common/tensor.ts'
import { KiB } from '../../../common/units.ts'
import type { Stack } from '../../../model/config/config.ts'
import { type Call, FakeSwarm, failure, hiddenSize } from './fake-swarm.ts'

// Blocks 0 and 1 are the encoder's, 2 and 3 multiply by 4 and 5 what they add the encoder's states to.
const stacks: readonly Stack[] = [
  { name: 'encoder', blocks: { first: 0, end: 2 } },
  { name: 'decoder', blocks: { first: 2, end: 4 }, crosses: true }
]
const input = () => float32([2, 1, 2], [1, 2, 3, 4])
const ones = () => float32([2, 1, 2], [1, 1, 1, 1])
const encoder = () => ({
  hidden: float32([2, 2, 2], [1, 10, 2, 20, 3, 30, 99, 99]),
  mask: int64([2, 2], [1, 1, 1, 0])
})
/** ((x + e) * 4 + e) * 5 with e = 3, 30 for the first row, and 3, 30 for the second */
const expected = [20 * 1 + 25 * 3, 20 * 2 + 25 * 30, 20 * 3 + 25 * 3, 20 * 4 + 25 * 30]

const decoderOf = (swarm: FakeSwarm, init: object = {}): RemoteSequential =>
  swarm.blocks({ stacks, ...init }).stack('decoder')
const tensorsOf = (swarm: FakeSwarm, kind: Call['kind']) =>
  swarm.calls.filter(call => call.kind === kind).map(({ message }) => Object.keys(message.tensors))

describe('passes through two stacks', () => {
  it('send the encoder states to every server of the decoder, and add their gradients over the spans', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 3], ['c', 3, 4])
    const pass = await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    assert.deepEqual([...pass.hidden.data], expected)
    assert.deepEqual(tensorsOf(swarm, 'forwardRequest'), [
      ['hidden', 'encoder_hidden', 'encoder_mask'],
      ['hidden', 'encoder_hidden', 'encoder_mask']
    ])
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.hidden.data], [20, 20, 20, 20])
    assert.deepEqual(gradients.encoder!.shape, [2, 2, 2])
    assert.deepEqual([...gradients.encoder!.data], [25, 25, 25, 25, 25, 25, 0, 0])
    assert.deepEqual(tensorsOf(swarm, 'backwardRequest'), [['grad.hidden'], ['grad.hidden']])
  })

  it('give the parts of a batch the rows of the encoder that they attend to', async () => {
    const swarm = new FakeSwarm(['a', 0, 2], ['b', 2, 4])
    const pass = await decoderOf(swarm, { subBatchTokens: 3 }).forward(input(), { encoder: encoder() })
    assert.deepEqual([...pass.hidden.data], expected)
    const sent = swarm.calls.map(({ message }) => [...message.tensors.encoder_hidden!.data])
    assert.deepEqual(sent.toSorted(), [
      [1, 10, 2, 20],
      [3, 30, 99, 99]
    ])
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.encoder!.data], [25, 25, 25, 25, 25, 25, 0, 0])
    const again = swarm.calls.filter(({ kind }) => kind === 'backwardRequest').map(({ message }) => message.tensors)
    for (const { encoder_hidden, encoder_mask } of again) {
      assert.deepEqual(encoder_hidden!.shape, [1, 2, 2], 'where nothing was kept the states are sent again')
      assert.deepEqual(encoder_mask!.shape, [1, 2])
    }
  })

  it('count the states of the encoder where a server announces the size of its requests', async () => {
    const rowBytes = 1 * (8 * hiddenSize + 8) + 2 * (4 * hiddenSize + 8)
    for (const [requestBytes, rows] of [
      [64 * KiB + 2 * rowBytes, [2]],
      [64 * KiB + 2 * rowBytes - 1, [1, 1]]
    ] as const) {
      const swarm = new FakeSwarm(['b', 2, 4])
      swarm.announcements[0] = { ...swarm.announcements[0]!, requestBytes }
      await decoderOf(swarm).forward(input(), { encoder: encoder() })
      const sent = swarm.calls.map(({ message }) => message.tensors.hidden!.shape[0])
      assert.deepEqual(sent, rows)
    }
  })

  it('go on with the same gradients where a server of the decoder is lost in between', async () => {
    const swarm = new FakeSwarm(['b', 2, 3], ['c', 3, 4], ['d', 2, 4])
    const pass = await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    assert.deepEqual([...pass.hidden.data], expected)
    const used = new Set(swarm.calls.map(({ peerId }) => peerId))
    swarm.before = ({ kind, peerId }) => {
      if (kind === 'backwardRequest' && used.has(peerId)) throw failure('UNREACHABLE')
    }
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.encoder!.data], [25, 25, 25, 25, 25, 25, 0, 0])
    assert.deepEqual([...gradients.hidden.data], [20, 20, 20, 20])
  })

  it('leave out the gradient of the encoder only where it is not wanted', async () => {
    const swarm = new FakeSwarm(['b', 2, 4])
    const pass = await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    await pass.backward(ones(), { inputGradient: false, encoderGradient: false })
    assert.deepEqual(swarm.asked('backwardRequest'), [])
    const wanted = await (
      await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    ).backward(ones(), { inputGradient: false })
    assert.equal(wanted.encoder!.data[0], 25)
  })

  it('take no answer without the gradient of the encoder', async () => {
    const swarm = new FakeSwarm(['b', 2, 4])
    const pass = await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    const request = swarm.request.bind(swarm)
    swarm.request = async (...args) => {
      const { body, tensors } = await request(...args)
      const { 'grad.encoder_hidden': _, ...others } = tensors
      return { body, tensors: others }
    }
    await assert.rejects(pass.backward(ones()), /grad\.encoder_hidden/)
  })

  it('have another server compute a gradient of the encoder that is not finite', async () => {
    const swarm = new FakeSwarm(['b', 2, 4], ['c', 2, 4])
    const pass = await decoderOf(swarm).forward(input(), { encoder: encoder(), keepResiduals: true })
    const request = swarm.request.bind(swarm)
    let wrong: string | undefined
    swarm.request = async (peerId, ...args) => {
      const { body, tensors } = await request(peerId, ...args)
      const gradient = tensors['grad.encoder_hidden']
      wrong ??= peerId
      if (gradient === undefined || wrong !== peerId) return { body, tensors }
      const data = Float32Array.from(gradient.data as Float32Array).fill(Number.NaN, 0, 1)
      return { body, tensors: { ...tensors, 'grad.encoder_hidden': float32(gradient.shape, data) } }
    }
    const gradients = await pass.backward(ones())
    assert.deepEqual([...gradients.encoder!.data], [25, 25, 25, 25, 25, 25, 0, 0])
    assert.deepEqual(new Set(swarm.asked('backwardRequest')), new Set(['b 2-4', 'c 2-4']))
  })

  it('refuse what fits no stack, by name', async () => {
    const swarm = new FakeSwarm(['a', 0, 4])
    const all = swarm.blocks({ stacks })
    const wrong = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })
    await assert.rejects(all.forward(input()), wrong(/blocks 0:4 are of two stacks/))
    await assert.rejects(all.stack('decoder').forward(input()), wrong(/blocks 2:4 attend to an encoder/))
    await assert.rejects(
      all.stack('encoder').forward(input(), { encoder: encoder() }),
      wrong(/blocks 0:2 of the encoder attend to no encoder/)
    )
    await assert.rejects(
      all.stack('encoder').openSession({ batch: 1, maxLength: 4 }),
      /UNSUPPORTED|an encoder have no KV cache/
    )
    const one = { hidden: float32([1, 1, 2], [1, 2]) }
    await assert.rejects(decoderOf(swarm).forward(input(), { encoder: one }), wrong(/expected \[2, source, 2\], found/))
    const masked = { ...encoder(), mask: int64([2, 1], [1, 1]) }
    await assert.rejects(
      decoderOf(swarm).forward(input(), { encoder: masked }),
      wrong(/encoder\.mask: expected \[2, 2\]/)
    )
    assert.throws(() => new FakeSwarm(['a', 0, 4]).blocks().stack('encoder'), wrong(/have no encoder/))
    assert.equal(swarm.calls.length, 0)
  })
})

describe('a session of a decoder that attends to an encoder', () => {
  const sessionOptions = () => ({ batch: 4, maxLength: 4, encoder: encoder() })
  const states = () => float32([4, 1, 2], [1, 2, 1, 2, 3, 4, 3, 4])
  const answers = [...expected.slice(0, 2), ...expected.slice(0, 2), ...expected.slice(2), ...expected.slice(2)]

  it('sends the states at the opening to every server, each for the rows that share an input', async () => {
    const swarm = new FakeSwarm(['b', 2, 3], ['c', 3, 4])
    await using session = await decoderOf(swarm).openSession(sessionOptions())
    assert.deepEqual(tensorsOf(swarm, 'inferenceOpen'), [
      ['encoder_hidden', 'encoder_mask'],
      ['encoder_hidden', 'encoder_mask']
    ])
    assert.deepEqual([...(await session.step(states())).data], answers)
    assert.deepEqual(tensorsOf(swarm, 'inferenceStep'), [
      ['hidden', 'starts'],
      ['hidden', 'starts']
    ])
  })

  for (const isChained of [false, true]) {
    it(`gives them to replacements, servers ${isChained ? 'handing on to each other' : 'answering the client'}`, async () => {
      const swarm = new FakeSwarm(['b', 2, 3], ['c', 3, 4], ['d', 3, 4])
      swarm.isChained = isChained
      await using session = await decoderOf(swarm).openSession(sessionOptions())
      assert.deepEqual([...(await session.step(states())).data], answers)
      const lost = session.route.at(-1)!.peerId
      swarm.before = ({ peerId }) => {
        if (peerId === lost) throw failure('UNREACHABLE')
      }
      assert.deepEqual([...(await session.step(states())).data], answers)
      const replaced = session.route.at(-1)!.peerId
      assert.notEqual(replaced, lost)
      const opened = swarm.calls.find(({ kind, peerId }) => kind === 'inferenceOpen' && peerId === replaced)!
      assert.deepEqual([...opened.message.tensors.encoder_hidden!.data], [...encoder().hidden.data])
    })
  }

  it('sends them beside an adapter that the server keeps', async () => {
    const swarm = new FakeSwarm(['b', 2, 4])
    swarm.kept = new Map()
    const blocks = decoderOf(swarm)
    const ports = { 'blocks.3.prompt': float32([1, 2], [1, 1]) }
    const results = []
    for (let time = 0; time < 2; time++) {
      await using session = await blocks.openSession({ ...sessionOptions(), ports })
      results.push([...(await session.step(states())).data])
    }
    assert.deepEqual(
      results[0],
      answers.map(value => value + 5)
    )
    assert.deepEqual(results[1], results[0])
    assert.deepEqual(tensorsOf(swarm, 'inferenceOpen'), [
      ['encoder_hidden', 'encoder_mask', 'blocks.3.prompt'],
      ['encoder_hidden', 'encoder_mask']
    ])
  })

  it('refuses rows that are no multiple of the inputs', async () => {
    await assert.rejects(decoderOf(new FakeSwarm(['b', 2, 4])).openSession({ ...sessionOptions(), batch: 3 }), {
      code: 'INVALID_ARGUMENT',
      message: 'encoder.hidden: expected [a divisor of 3, source, 2], found [2,2,2]'
    })
  })
})
