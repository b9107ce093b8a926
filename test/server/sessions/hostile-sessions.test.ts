// Messages that make no sense, at a real server: typed errors for whoever sends them, and nobody else's session is hurt.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { errorCodes, SwarmError, toSwarmError } from '../../../common/errors.ts'
import { type Float32Tensor, float32, int64, type Tensor, tensor } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import type { Checkpoint } from '../../../model/checkpoint/checkpoint.ts'
import type { MessageStream } from '../../../network/streams/message-stream.ts'
import type { BodyOf, Message, NamedTensors } from '../../../proto/messages.ts'
import { protocols } from '../../../proto/protocols.ts'
import {
  eventually,
  openModel,
  Remote,
  type RemoteSession,
  randomTensor,
  startCaller,
  startServer
} from '../support.ts'

const cleanups: (() => Promise<void>)[] = []
const context = { after: (cleanup: () => Promise<void>) => void cleanups.unshift(cleanup) } as never

const chaos = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
  fc.constantFrom(255, 2 ** 16, 2 ** 31 - 1, 2 ** 32 - 1)
)
const text = fc.oneof(fc.constant(''), fc.string({ maxLength: 80 }))
const next = fc.option(
  fc.record({ peerId: text, announcement: fc.uint8Array({ maxLength: 400 }), replay: fc.boolean() }),
  { nil: null }
)
const name = fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ maxLength: 40 }))
const wide = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: -1n, max: 4n }) },
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 1000n)
)

/** Tensors of a step, right and wrong ones. */
const stepTensors = (width: number): fc.Arbitrary<NamedTensors> =>
  fc
    .record({
      batch: fc.integer({ min: 0, max: 3 }),
      seq: fc.integer({ min: 0, max: 4 }),
      width: fc.constantFrom(width, width, width, 1),
      numbers: fc.dictionary(
        fc.constantFrom('lengths', 'starts', 'parents', 'other', '__proto__'),
        fc.array(wide, { maxLength: 3 }),
        { maxKeys: 3 }
      )
    })
    .map(({ batch, seq, width: own, numbers }) => ({
      hidden: tensor('float32', [batch, seq, own]),
      ...Object.fromEntries(
        Object.entries(numbers).map(([key, values]) => [
          key,
          tensor('int64', [values.length], BigInt64Array.from(values)) as Tensor<'int64'>
        ])
      )
    }))

describe('a server among strangers', { timeout: 120_000 }, () => {
  let checkpoint: Checkpoint
  let friend: Remote
  let stranger: Remote
  let session: RemoteSession
  let expected: Float32Tensor
  const input = randomTensor(7, [1, 3, 32])

  before(async () => {
    checkpoint = await openModel('grouped')
    const server = await startServer(context, { checkpoint, kvCacheBytes: 16 * MiB })
    friend = new Remote(await startCaller(context), server, checkpoint)
    stranger = new Remote(await startCaller(context), server, checkpoint)
    session = await friend.open({ maxLength: 32 })
    expected = await (await friend.open({ maxLength: 32 })).step(input)
  })
  after(async () => {
    for (const cleanup of cleanups) await cleanup()
  })

  const opening = (fields: Partial<BodyOf<'inferenceOpen'>> = {}): BodyOf<'inferenceOpen'> => ({
    kind: 'inferenceOpen',
    span: stranger.span(),
    batch: 1,
    maxLength: 16,
    session: new Uint8Array(),
    previous: '',
    next: null,
    ...fields
  })
  /** What comes back for messages on one stream, until it says nothing more or has answered each. */
  const answers = async (protocol: string, messages: readonly Message[]): Promise<string[]> => {
    const { network, server } = stranger
    const stream: MessageStream = await network.open(server.peerId, protocol, { addresses: server.addresses })
    const found: string[] = []
    const signal = AbortSignal.timeout(20_000)
    try {
      for (const message of messages) await stream.send(message, { signal })
      await stream.close()
      for (;;) {
        const answer = await stream.receive({ signal })
        if (answer === null) return found
        found.push(answer.body.kind)
      }
    } catch (error) {
      return [...found, toSwarmError(error).code]
    } finally {
      stream.abort(new SwarmError('ABORTED', 'done'))
    }
  }
  const check = (found: readonly string[]): void => {
    const kinds = ['inferenceReady', 'inferenceResult', 'inferenceNotice']
    for (const each of found) assert.ok(kinds.includes(each) || each in errorCodes, each)
    // a bug, or a server that says nothing
    assert.ok(!found.includes('INTERNAL') && !found.includes('DEADLINE'), found.join())
  }

  it('answers openings of every kind with a session or a typed error', async () => {
    const hash = fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ minLength: 32, maxLength: 32 }), name)
    const fields = fc.record({ batch: chaos, maxLength: chaos, session: name, previous: text, next, portsHash: hash })
    await fc.assert(
      fc.asyncProperty(fields, async given => {
        check(await answers(protocols.inference, [{ body: opening(given), tensors: {} }]))
      }),
      { numRuns: 80 }
    )
    await eventually(() => stranger.server.sessions === 2, 'all of the sessions have ended')
  })

  it('answers steps and routes of every kind with results or a typed error', async () => {
    const step = fc
      .tuple(
        fc.record({ timeoutMs: chaos, step: chaos, lastOnly: fc.boolean(), replay: fc.boolean() }),
        stepTensors(32)
      )
      .map(([body, tensors]): Message => ({ body: { kind: 'inferenceStep', ...body, timeoutMs: 0 }, tensors }))
    const route = fc
      .record({ previous: text, next, replay: fc.boolean(), keepNext: fc.boolean() })
      .map((body): Message => ({ body: { kind: 'inferenceRoute', ...body }, tensors: {} }))
    const again = fc.constant<Message>({ body: opening(), tensors: {} })
    const messages = fc.array(fc.oneof({ weight: 6, arbitrary: step }, { weight: 2, arbitrary: route }, again), {
      minLength: 1,
      maxLength: 5
    })
    await fc.assert(
      fc.asyncProperty(name, fc.integer({ min: 1, max: 2 }), messages, async (session, batch, sent) => {
        const id = session.length === 16 ? session : new Uint8Array(16)
        check(await answers(protocols.inference, [{ body: opening({ batch, session: id }), tensors: {} }, ...sent]))
      }),
      { numRuns: 100 }
    )
    await eventually(() => stranger.server.sessions === 2, 'all of the sessions have ended')
  })

  it('answers any message on any protocol, and requests with any tensors, with an answer or a typed error', async () => {
    const span = fc
      .record({ firstBlock: chaos, endBlock: chaos, codec: fc.constantFrom('fp32', 'fp16', 'bf16', 'int8') })
      .map(fields => stranger.span(undefined, fields as never))
    const dropout = fc.option(fc.record({ probability: fc.float(), seed: chaos }), { nil: null })
    const body = fc.oneof(
      fc.record({ kind: fc.constant('forwardRequest'), span, keepResiduals: fc.boolean(), dropout }),
      fc.record({ kind: fc.constant('backwardRequest'), span, residualId: text, dropout }),
      fc.record({ kind: fc.constantFrom('infoRequest', 'infoResponse', 'backwardResponse') }),
      fc.record({ kind: fc.constant('directoryRequest'), model: text, announcements: fc.array(fc.uint8Array()) }),
      fc.record({ kind: fc.constant('probeRequest'), addresses: fc.array(text, { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('pushOpen'), session: fc.uint8Array({ maxLength: 3 }) }),
      fc.record({
        kind: fc.constant('tensorsRequest'),
        model: fc.oneof(text, fc.constant(checkpoint.identity)),
        file: fc.oneof(text, fc.constantFrom('../config.json', '/etc/passwd', 'config.json')),
        tensor: fc.oneof(text, fc.constant('model.layers.0.input_layernorm.weight')),
        firstByte: chaos,
        endByte: chaos,
        hashes: fc.array(text, { maxLength: 2 })
      })
    ) as fc.Arbitrary<Message['body']>
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
    const names = fc.constantFrom(
      'hidden',
      'mask',
      'grad.hidden',
      'blocks.0.lora.self_attn.q_proj.A',
      'blocks.9.x',
      '__proto__'
    )
    const tensors = fc
      .dictionary(names, fc.tuple(fc.constantFrom('float32', 'int64'), fc.oneof(shapes, fc.constant([1, 2, 32]))))
      .map(given =>
        Object.fromEntries(Object.entries(given).map(([key, [type, dims]]) => [key, tensor(type as 'int64', dims)]))
      )
    // a push stream to no session is waited for: not here
    const protocol = fc.constantFrom(...Object.values(protocols).filter(id => id !== protocols.push))
    await fc.assert(
      fc.asyncProperty(protocol, body, tensors, async (id, sent, given) => {
        const found = await answers(id, [{ body: sent, tensors: given }])
        assert.ok(!found.includes('INTERNAL') && !found.includes('DEADLINE'), `${id} ${sent.kind}: ${found}`)
        for (const each of found) assert.ok(each in errorCodes || each.endsWith('Response'), each)
      }),
      { numRuns: 200 }
    )
  })

  it('takes steps of a session from the server before it alone, whoever else knows its name', async () => {
    const id = crypto.getRandomValues(new Uint8Array(16))
    const { network, server } = friend
    const own = await network.open(server.peerId, protocols.inference, { addresses: server.addresses })
    await own.send({ body: opening({ session: id, previous: network.peerId }), tensors: {} })
    assert.equal((await own.receive())?.body.kind, 'inferenceReady')
    const step = (number: number): Message => ({
      body: { kind: 'inferenceStep', timeoutMs: 0, step: number, lastOnly: false, replay: false },
      tensors: { hidden: input }
    })
    const push: Message = { body: { kind: 'pushOpen', session: id }, tensors: {} }
    // a stranger who has learned the name, its bytes a second time, and a step by the caller
    assert.deepEqual(await answers(protocols.push, [push, step(1)]), ['INVALID_ARGUMENT'])
    const stolen = opening({ session: id, previous: stranger.network.peerId })
    assert.deepEqual(await answers(protocols.inference, [{ body: stolen, tensors: {} }]), ['INVALID_ARGUMENT'])
    // the true server before goes on, also with the same step again
    const link = await network.open(server.peerId, protocols.push, { addresses: server.addresses })
    await link.send(push)
    for (const starts of [0, 0]) {
      const message = step(1)
      await link.send({ ...message, tensors: { ...message.tensors, starts: int64([1], [starts]) } })
      const answer = await own.receive()
      assert.equal(answer?.body.kind, 'inferenceResult')
      assert.deepEqual(answer?.tensors.hidden?.data, expected.data)
    }
    link.abort(new SwarmError('ABORTED', 'done'))
    await own.close()
  })

  it('refuses push streams that begin with anything else, and those to sessions that nobody has opened', async () => {
    const step: Message = {
      body: { kind: 'inferenceStep', timeoutMs: 0, step: 1, lastOnly: false, replay: false },
      tensors: { hidden: input }
    }
    assert.deepEqual(await answers(protocols.push, [step]), ['BAD_FRAME'])
    assert.deepEqual(
      await answers(protocols.push, [{ body: { kind: 'pushOpen', session: new Uint8Array(16) }, tensors: {} }, step]),
      ['NOT_FOUND']
    )
  })

  it('refuses what would need more than there is before it takes any of it', async () => {
    const huge = [
      { batch: 1024, maxLength: checkpoint.config.maxPositions },
      { batch: 2 ** 32 - 1, maxLength: 1 },
      { batch: 1, maxLength: 2 ** 32 - 1 }
    ]
    for (const fields of huge) {
      const [found] = await answers(protocols.inference, [{ body: opening(fields), tensors: {} }])
      assert.match(found!, /^(BUSY|INVALID_ARGUMENT)$/, JSON.stringify(fields))
    }
    for (const [key, value] of [
      ['starts', 2n ** 62n],
      ['parents', 9n],
      ['lengths', -1n],
      ['lengths', 2n ** 40n]
    ] as const) {
      const sent: Message = {
        body: { kind: 'inferenceStep', timeoutMs: 0, step: 1, lastOnly: false, replay: false },
        tensors: {
          hidden: float32([1, 1, 32], new Float32Array(32)),
          [key]: tensor('int64', [1], BigInt64Array.of(value))
        }
      }
      const found = await answers(protocols.inference, [{ body: opening(), tensors: {} }, sent])
      assert.deepEqual(found, ['inferenceReady', 'INVALID_ARGUMENT'], key)
    }
  })

  it('after all that has the session of somebody else as it was, and holds nothing more', async () => {
    assert.deepEqual((await session.step(input)).data, expected.data)
    await eventually(() => stranger.server.sessions === 2, 'two sessions are left')
    assert.ok(stranger.server.cacheBytesUsed < MiB, `${stranger.server.cacheBytesUsed}`)
  })
})
