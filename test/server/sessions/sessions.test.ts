import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Float32Tensor, int64, tensor } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { maxSessionsPerPeer } from '../../../server/limits.ts'
import {
  assertClose,
  eventually,
  loraPorts,
  openModel,
  positionsOf,
  Remote,
  type RemoteSession,
  randomTensor,
  rejectsWith,
  startCaller,
  startRemote
} from '../support.ts'

/** Positions one after the other, the first `prefill` together; returns what came back for each. */
async function stepThrough(session: RemoteSession, hidden: Float32Tensor, prefill: number): Promise<Float32Tensor[]> {
  const seq = hidden.shape[1]!
  const first = await session.step(positionsOf(hidden, 0, prefill))
  const answers = Array.from({ length: prefill }, (_, at) => positionsOf(first, at, at + 1))
  for (let at = prefill; at < seq; at++) answers.push(await session.step(positionsOf(hidden, at, at + 1)))
  return answers
}

function assertSteps(answers: readonly Float32Tensor[], expected: Float32Tensor, tolerance = 1e-5): void {
  for (const [at, answer] of answers.entries()) {
    assertClose(answer, positionsOf(expected, at, at + 1), tolerance, `position ${at}`)
  }
}

/** Models whose decode graph is made of plain operators (head size 8) and of the fused one (head size 16). */
for (const [name, width] of [
  ['grouped', 32],
  ['scaled', 48]
] as const) {
  describe(`a session over blocks of ${name}`, () => {
    test('computes in steps what one forward pass computes, also of some of the blocks', async context => {
      const checkpoint = await openModel(name)
      const remote = await startRemote(context, { checkpoint })
      const hidden = randomTensor(1, [2, 9, width])
      for (const blocks of [remote.server.range, { first: 1, end: 2 }]) {
        const expected = await remote.forward({ hidden }, { span: remote.span(blocks) })
        const session = await remote.open({ batch: 2, blocks })
        assertSteps(await stepThrough(session, hidden, 4), expected.hidden)
        await session.close()
      }
    })

    test('takes rows of different lengths', async context => {
      const checkpoint = await openModel(name)
      const remote = await startRemote(context, { checkpoint })
      const hidden = randomTensor(2, [3, 8, width])
      const { hidden: expected } = await remote.forward({ hidden })
      const session = await remote.open({ batch: 3 })
      const at = [0, 0, 0]
      /** One step of so many positions for each row, padded with rubbish; checks what comes back for tokens. */
      const step = async (lengths: readonly number[]): Promise<void> => {
        const seq = Math.max(...lengths)
        const input = tensor('float32', [3, seq, width])
        input.data.fill(1e3)
        for (const [row, length] of lengths.entries()) {
          input.data.set(positionsOf(hidden, at[row]!, at[row]! + length, row).data, row * seq * width)
        }
        const output = await session.step(input, lengths)
        for (const [row, length] of lengths.entries()) {
          const found = positionsOf(output, 0, length, row)
          assertClose(found, positionsOf(expected, at[row]!, at[row]! + length, row), 1e-5, `row ${row}`)
          at[row]! += length
        }
      }
      await step([2, 4, 1]) // prefill
      await step([1, 1, 1])
      await step([1, 0, 1]) // a row that has ended
      await step([2, 1, 3]) // several positions at once, again of different lengths
      await step([1, 1, 1])
      assert.deepEqual(at, [7, 7, 7])
    })

    test('applies adapters and prompts as a forward pass does', async context => {
      const checkpoint = await openModel(name)
      const remote = await startRemote(context, { checkpoint })
      const hidden = randomTensor(3, [2, 8, width])
      const valueWidth = checkpoint.config.numKeyValueHeads * checkpoint.config.headDim
      const ports = {
        ...loraPorts(checkpoint, remote.server.range, ['self_attn.k_proj', 'mlp.gate_proj'], 3),
        [portName.scale(1, 'self_attn.v_proj', 'output')]: randomTensor(5, [valueWidth]),
        [portName.scale(0, 'self_attn.k_proj', 'input')]: randomTensor(6, [width]),
        [portName.prompt(1)]: randomTensor(4, [3, width])
      }
      const { hidden: expected } = await remote.forward({ hidden, ...ports })
      const session = await remote.open({ batch: 2, ports })
      // a first step shorter than the prompt: the second must apply the rest of it
      assertSteps(await stepThrough(session, hidden, 2), expected)
    })

    test('writes prefixes into its cache', async context => {
      const checkpoint = await openModel(name)
      const { numKeyValueHeads, headDim } = checkpoint.config
      const remote = await startRemote(context, { checkpoint, blocks: { first: 0, end: 2 } })
      const hidden = randomTensor(5, [2, 6, width])
      const prefixes = Object.fromEntries(
        [0, 1].flatMap(block =>
          (['key', 'value'] as const).map((part, i) => [
            portName.prefix(block, part),
            randomTensor(30 + 2 * block + i, [4, numKeyValueHeads, headDim])
          ])
        )
      )
      const { hidden: expected } = await remote.forward({ hidden, ...prefixes })
      const session = await remote.open({ batch: 2, ports: prefixes, maxLength: 10 })
      assertSteps(await stepThrough(session, hidden, 3), expected)
      await rejectsWith(session.step(positionsOf(hidden, 0, 1)), 'INVALID_ARGUMENT', /opened for 10 positions/)
    })
  })
}

test('a session grows with its rows: more positions than its first buffer has', async context => {
  const checkpoint = await openModel('tiny')
  const remote = await startRemote(context, { checkpoint, blocks: { first: 3, end: 4 } })
  const hidden = randomTensor(6, [1, 260, 192])
  const { hidden: expected } = await remote.forward({ hidden })
  const session = await remote.open({ maxLength: 300 })
  const answers = [await session.step(positionsOf(hidden, 0, 120))]
  for (const [first, end] of [
    [120, 127],
    [127, 128],
    [128, 129],
    [129, 259],
    [259, 260]
  ] as const) {
    answers.push(await session.step(positionsOf(hidden, first, end)))
  }
  let at = 0
  for (const answer of answers) {
    const end = at + answer.shape[1]!
    assertClose(answer, positionsOf(expected, at, end), 1e-5, `positions ${at}-${end}`)
    at = end
  }
})

test('sessions side by side do not see each other', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const inputs = [7, 8, 9].map(seed => randomTensor(seed, [1, 10, 32]))
  const expected = await Promise.all(inputs.map(hidden => remote.forward({ hidden })))
  await Promise.all(
    inputs.map(async (hidden, i) => {
      const session = await remote.open()
      assertSteps(await stepThrough(session, hidden, 3), expected[i]!.hidden)
      await session.close()
    })
  )
  await eventually(() => remote.server.cacheBytesUsed === 0, 'the cache is free')
})

test('a session that could never fit is refused, one that finds no room waits for another to end', async context => {
  const checkpoint = await openModel('grouped')
  const bytesOf = (maxLength: number) => 4 * 2 * 2 * maxLength * 8 * 4
  const remote = await startRemote(context, { checkpoint, kvCacheBytes: bytesOf(48) })
  await rejectsWith(
    remote.open({ maxLength: 49 }),
    'BUSY',
    /1 x 49 positions may need .* all there is .*another server/
  )
  const [session, other] = [await remote.open(), await remote.open()]
  assert.equal(other.cacheBytes, bytesOf(48)) // nothing is taken before it is needed
  await session.step(randomTensor(1, [1, 2, 32]))
  assert.equal((await remote.info()).cacheBytesUsed, bytesOf(32))
  let isThere = false
  const step = other.step(randomTensor(1, [1, 2, 32])).then(() => {
    isThere = true
  })
  await session.step(randomTensor(1, [1, 2, 32])) // still served
  assert.equal(isThere, false)
  await session.close()
  await step
  await other.close()
  await eventually(() => remote.server.cacheBytesUsed === 0, 'the cache is free')
})

test('sessions that step at once are computed together, and get what each would get alone', async context => {
  for (const [name, width] of [
    ['grouped', 32],
    ['scaled', 48]
  ] as const) {
    const checkpoint = await openModel(name)
    const remote = await startRemote(context, { checkpoint })
    const inputs = Array.from({ length: 6 }, (_, seed) => randomTensor(20 + seed, [1, 9, width]))
    const ports = loraPorts(checkpoint, remote.server.range)
    // every other with an adapter: those cannot be computed with others
    const adapters = inputs.map((_, index) => (index % 2 === 0 ? {} : ports))
    const expected = await Promise.all(inputs.map((hidden, i) => remote.forward({ hidden, ...adapters[i] })))
    const sessions = await Promise.all(inputs.map((_, i) => remote.open({ ports: adapters[i] })))
    const answers = await Promise.all(sessions.map((session, i) => stepThrough(session, inputs[i]!, 1 + (i % 3))))
    for (const [i, steps] of answers.entries()) assertSteps(steps, expected[i]!.hidden)
    // one in the middle goes: its place computes nothing, and a new session takes it
    await sessions[2]!.close()
    await eventually(() => remote.server.sessions === 5, 'the session has ended')
    const late = await remote.open()
    assertSteps(await stepThrough(late, inputs[0]!, 4), expected[0]!.hidden)
  }
})

test('a long prompt is computed in pieces', async context => {
  const checkpoint = await openModel('tiny')
  const remote = await startRemote(context, { checkpoint, blocks: { first: 3, end: 4 } })
  const hidden = randomTensor(6, [2, 900, 192])
  const { hidden: expected } = await remote.forward({ hidden })
  const session = await remote.open({ batch: 2, maxLength: 1000 })
  assertClose(await session.step(hidden), expected, 1e-5)
})

test('a caller that vanishes frees its cache within seconds', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const other = new Remote(await startCaller(context), remote.server, checkpoint)
  const [reset, gone, stays] = await Promise.all([remote.open(), remote.open(), other.open()])
  await gone.step(randomTensor(1, [1, 3, 32]))
  assert.equal(remote.server.sessions, 3)
  reset.stream.abort(new Error('changed my mind'))
  await eventually(() => remote.server.sessions === 2, 'a stream that was reset is over')
  await remote.network.stop()
  await eventually(() => remote.server.sessions === 1, 'a peer that has gone is noticed', 5000)
  assert.equal(remote.server.cacheBytesUsed, 0)
  await stays.step(randomTensor(1, [1, 3, 32]))
})

test('a caller that vanishes in the middle of a step frees its cache', async context => {
  const checkpoint = await openModel('tiny')
  const remote = await startRemote(context, { checkpoint, blocks: { first: 0, end: 3 } })
  const session = await remote.open({ batch: 4, maxLength: 600 })
  const step = session.step(randomTensor(1, [4, 512, 192])).catch(error => error)
  await eventually(() => remote.server.sessions === 1, 'the session is open')
  await remote.network.stop()
  assert.ok((await step) instanceof Error)
  await eventually(() => remote.server.cacheBytesUsed === 0, 'the cache is free', 5000)
})

test('one peer has so many sessions and no more', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const sessions = [await remote.open()]
  while (sessions.length < maxSessionsPerPeer) sessions.push(await remote.open())
  await rejectsWith(remote.open(), 'BUSY', /from one peer/)
  const other = new Remote(await startCaller(context), remote.server, checkpoint)
  await (await other.open()).close()
  await Promise.all(sessions.map(session => session.close()))
})

test('steps that make no sense end their session only', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const two = randomTensor(1, [2, 3, 32])
  const bad: [step: (session: RemoteSession) => Promise<unknown>, message: RegExp][] = [
    [session => session.step(randomTensor(1, [1, 3, 32])), /the session has 2 rows, found 1/],
    [session => session.step(randomTensor(1, [2, 3, 16])), /expected hidden size 32, got 16/],
    [session => session.step(two, [3]), /lengths: expected int64 \[2\], found int64\[1\]/],
    [session => session.step(two, [4, 3]), /row 0: expected 1 to 3, found 4/],
    [session => session.step(two, [3, 0]), /row 1: expected 1 to 3, found 0/],
    [session => session.step(two, [3, -1]), /row 1: expected 1 to 3, found -1/],
    [session => session.step(randomTensor(1, [2, 33, 32])), /opened for 32 positions, this step would make it 33/]
  ]
  for (const [step, message] of bad) {
    const session = await remote.open({ batch: 2 })
    await rejectsWith(step(session), 'INVALID_ARGUMENT', message)
  }
  const session = await remote.open({ batch: 2 })
  const body = { kind: 'inferenceStep', timeoutMs: 0, step: 1, lastOnly: false, replay: false } as const
  await session.stream.send({ body, tensors: { hidden: two, 'blocks.0.prompt': randomTensor(1, [1, 32]) } })
  await rejectsWith(
    session.stream.receive(),
    'INVALID_ARGUMENT',
    /'blocks\.0\.prompt': .*ports come when a session opens/
  )
  const other = await remote.open({ batch: 2 })
  await other.stream.send({ body: { kind: 'infoRequest' }, tensors: {} })
  await rejectsWith(other.stream.receive(), 'BAD_FRAME', /expected inferenceStep, found infoRequest/)
  await eventually(() => remote.server.cacheBytesUsed === 0, 'the cache is free')
  await (await remote.open({ batch: 2 })).step(two, [3, 2])
})

test('sessions that make no sense are refused', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const prefix = {
    'blocks.0.prefix.key': randomTensor(1, [4, 2, 8]),
    'blocks.0.prefix.value': randomTensor(1, [4, 2, 8])
  }
  const first = { first: 0, end: 1 }
  const prompt = { 'blocks.0.prompt': randomTensor(1, [1, 32]) }
  await rejectsWith(remote.open({ batch: 0 }), 'INVALID_ARGUMENT', /batch: expected 1 to 1024 rows, found 0/)
  await rejectsWith(
    remote.open({ maxLength: 65 }),
    'INVALID_ARGUMENT',
    /max_length: the model has 64 positions, found 65/
  )
  await rejectsWith(remote.open({ maxLength: 0 }), 'INVALID_ARGUMENT', /found 0/)
  await rejectsWith(remote.open({ blocks: { first: 2, end: 5 } }), 'BLOCKS_NOT_HOSTED', /2\.\.4 .*hosts blocks 0\.\.3/)
  await rejectsWith(remote.open({ ports: { hidden: int64([1], [1]) } }), 'INVALID_ARGUMENT', /unknown port 'hidden'/)
  await rejectsWith(
    remote.open({ ports: prefix, maxLength: 4, blocks: first }),
    'INVALID_ARGUMENT',
    /4 positions of the prefix/
  )
  await rejectsWith(remote.open({ ports: prefix }), 'INVALID_ARGUMENT', /blocks\.1\.prefix\.key' is missing/)
  await rejectsWith(remote.open({ ports: { ...prefix, ...prompt }, blocks: first }), 'UNSUPPORTED', /combined/)
  assert.equal(remote.server.sessions, 0)
})
