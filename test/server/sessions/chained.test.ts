// Servers of one session that hand on to each other: no step passes the next server by, and none that is replayed late.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type Float32Tensor, int64 } from '../../../common/tensor.ts'
import type { MessageStream, Network } from '../../../network/node.ts'
import type { BodyOf, Message } from '../../../proto/messages.ts'
import { protocols } from '../../../proto/protocols.ts'
import type { BlockServer } from '../../../server/server.ts'
import { ChaosProxy } from '../../../testing/chaos/proxy.ts'
import { freePort } from '../../../testing/chaos/swarm.ts'
import {
  assertClose,
  directForward,
  openModel,
  positionsOf,
  randomTensor,
  startCaller,
  startServer
} from '../support.ts'

type Place = Pick<BodyOf<'inferenceOpen'>, 'previous' | 'next'>

/** Two servers of two blocks each, the second behind a proxy, who asks them, and what comes of eight positions. */
async function start(context: TestContext) {
  const port = await freePort()
  const proxy = await ChaosProxy.open(port)
  context.after(() => proxy.close())
  const behind = { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [`/ip4/127.0.0.1/tcp/${proxy.port}`] }
  const checkpoint = await openModel('grouped')
  const [first, second, network] = await Promise.all([
    startServer(context, { checkpoint, blocks: { first: 0, end: 2 } }),
    startServer(context, { checkpoint, blocks: { first: 2, end: 4 }, ...behind }),
    startCaller(context)
  ])
  const hidden = randomTensor(1, [1, 8, 32])
  const expected = await directForward(checkpoint, { first: 0, end: 4 }, { hidden })
  const session = new Uint8Array(randomBytes(16))
  const opening = ({ range }: BlockServer, place: Place): Message => {
    const span = { model: checkpoint.identity, firstBlock: range.first, endBlock: range.end, timeoutMs: 0 }
    const body = { kind: 'inferenceOpen', span: { ...span, codec: 'fp32' }, batch: 1, maxLength: 8, session } as const
    return { body: { ...body, ...place }, tensors: {} }
  }
  const next = {
    peerId: second.peerId,
    announcement: second.network.directory.recordOf(second.peerId)!,
    replay: true
  }
  return { first, second, proxy, network, hidden, expected, session, opening, next }
}

const streamTo = (network: Network, { peerId, addresses }: BlockServer): Promise<MessageStream> =>
  network.open(peerId, protocols.inference, { addresses })

/** Positions `from` to `end - 1` as a step. */
function step(
  hidden: Float32Tensor,
  from: number,
  end: number,
  fields: Partial<BodyOf<'inferenceStep'>> = {}
): Message {
  const body = { kind: 'inferenceStep', timeoutMs: 0, step: 1, lastOnly: false, replay: false, ...fields } as const
  return { body, tensors: { hidden: positionsOf(hidden, from, end), starts: int64([1], [from]) } }
}

/** The next message but notices, which may come at any time. */
async function hears(stream: MessageStream, kind: Message['body']['kind']): Promise<Message> {
  const message = await stream.receive()
  if (message?.body.kind === 'inferenceNotice') return await hears(stream, kind)
  assert.equal(message?.body.kind, kind, JSON.stringify(message?.body))
  return message!
}

test('a step that comes before the way to the next server is open goes there, and not back to the caller', async context => {
  const { first, second, network, hidden, expected, session, opening, next } = await start(context)
  const open = [first, first, second].map(server => streamTo(network, server))
  const [warm, one, two] = (await Promise.all(open)) as [MessageStream, MessageStream, MessageStream]
  // compiled: a step takes less time than connecting to the next server
  await warm.send(opening(first, { previous: '', next: null }))
  await warm.send(step(hidden, 0, 8))
  await hears(warm, 'inferenceReady')
  await hears(warm, 'inferenceResult')
  await warm.close()
  assert.equal(await warm.receive(), null)
  // the caller is the server before as well: its step waits for the session
  const link = await network.open(first.peerId, protocols.push, { addresses: first.addresses })
  await link.send({ body: { kind: 'pushOpen', session }, tensors: {} })
  await link.send(step(hidden, 0, 8))
  await one.send(opening(first, { previous: network.peerId, next }))
  await hears(one, 'inferenceReady')
  // the way is open when the next server has the session
  await two.send(opening(second, { previous: first.peerId, next: null }))
  await hears(two, 'inferenceReady')
  const told = one.receive()
  const result = hears(two, 'inferenceResult')
  assert.equal(
    await Promise.race([result.then(() => 'the next server'), told.then(() => 'the caller')]),
    'the next server'
  )
  assertClose((await result).tensors.hidden, expected, 1e-5)
  await link.close()
  await one.close()
  assert.equal(await told, null)
  await two.close()
})

test('what is replayed after the next server was replaced goes on to the new one', async context => {
  const { first, second, network, hidden, expected, opening, next } = await start(context)
  const [one, two] = await Promise.all([streamTo(network, first), streamTo(network, second)])
  // its next server is nobody that it could reach
  const lost = { peerId: network.peerId, announcement: new Uint8Array(), replay: false }
  await one.send(opening(first, { previous: '', next: lost }))
  await two.send(opening(second, { previous: first.peerId, next: null }))
  await Promise.all([hears(one, 'inferenceReady'), hears(two, 'inferenceReady')])
  // a first part that it has when the next one comes, a second that is still on its way then
  const replay = { replay: true, lastOnly: true }
  await one.send(step(hidden, 0, 3, replay))
  await one.send({
    body: { kind: 'inferenceRoute', previous: '', next, replay: true, keepNext: false },
    tensors: {}
  })
  await one.send(step(hidden, 3, 6, replay))
  await hears(one, 'inferenceReady')
  await one.send(step(hidden, 6, 8, { step: 2 }))
  const { body, tensors } = await hears(two, 'inferenceResult')
  assert.equal((body as BodyOf<'inferenceResult'>).step, 2)
  assertClose(tensors.hidden, positionsOf(expected, 6, 8), 1e-5)
  await one.close()
  await two.close()
})

test('a server that its next one does not answer tells the caller', async context => {
  const { first, second, proxy, network, hidden, expected, opening, next } = await start(context)
  const [one, two] = await Promise.all([streamTo(network, first), streamTo(network, second)])
  await one.send(opening(first, { previous: '', next }))
  await two.send(opening(second, { previous: first.peerId, next: null }))
  await Promise.all([hears(one, 'inferenceReady'), hears(two, 'inferenceReady')])
  await one.send(step(hidden, 0, 4))
  assertClose((await hears(two, 'inferenceResult')).tensors.hidden, positionsOf(expected, 0, 4), 1e-5)
  proxy.set({ isFrozen: true })
  await one.send(step(hidden, 4, 5, { step: 2 }))
  const told = await one.receive()
  assert.equal(told?.body.kind, 'inferenceNotice')
  assert.match((told!.body as BodyOf<'inferenceNotice'>).message, /next server does not answer/)
  await one.close()
})

test('each step that cannot be handed on is told of: the caller may have missed it while it found other servers', async context => {
  const { first, network, hidden, opening } = await start(context)
  const one = await streamTo(network, first)
  const lost = { peerId: network.peerId, announcement: new Uint8Array(), replay: false }
  await one.send(opening(first, { previous: '', next: lost }))
  await hears(one, 'inferenceReady')
  for (const number of [1, 2, 3]) {
    await one.send(step(hidden, number - 1, number, { step: number }))
    for (;;) {
      const { body } = (await one.receive())!
      assert.equal(body.kind, 'inferenceNotice', JSON.stringify(body))
      if ((body as BodyOf<'inferenceNotice'>).step === number) break
    }
  }
  await one.close()
})

test('an answer is on its way, whatever becomes of the server that brought the step', async context => {
  const { second, network, hidden, session, opening } = await start(context)
  const two = await streamTo(network, second)
  await two.send(opening(second, { previous: network.peerId, next: null }))
  await hears(two, 'inferenceReady')
  for (const number of [1, 2, 3]) {
    const link = await network.open(second.peerId, protocols.push, { addresses: second.addresses })
    await link.send({ body: { kind: 'pushOpen', session }, tensors: {} })
    await link.send(step(hidden, number - 1, number, { step: number }))
    assert.equal(((await hears(two, 'inferenceResult')).body as BodyOf<'inferenceResult'>).step, number)
    link.abort(new Error('gone'))
  }
  await two.close()
})
