import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { float32, int64, tensor } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import type { Message } from '../../../proto/frame.ts'
import { code, echoPair, echoProtocol, large, message, Swarm, within } from '../harness.ts'

test('tensors of every type come back, floats in every codec', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const tensors = {
    hidden: float32([2, 1, 3], [1, -2.5, 0, 0.25, 1024, -1]),
    mask: int64([2, 2], [1, 0, 1, 1]),
    lengths: tensor('int32', [2], Int32Array.of(-1, 2 ** 30)),
    scalar: float32([], [3]),
    empty: float32([0, 4], [])
  }
  for (const codec of ['fp32', 'fp16', 'bf16', 'int8'] as const) {
    const sent: Message = {
      body: { kind: 'inferenceStep', timeoutMs: 5, step: 1, lastOnly: false, replay: false },
      tensors
    }
    const answer = await client.request(server.peerId, echoProtocol, sent, { codec })
    assert.deepEqual(answer.body, sent.body)
    for (const [name, expected] of Object.entries(tensors)) {
      const data = [...answer.tensors[name]!.data]
      if (codec === 'int8' && name === 'hidden') {
        for (const [at, value] of data.entries()) {
          assert.ok(Math.abs(Number(value) - Number(expected.data[at])) <= 1024 / 254, `${value} in ${codec}`)
        }
      } else assert.deepEqual(data, [...expected.data], `${name} in ${codec}`)
      assert.deepEqual(answer.tensors[name]?.shape, expected.shape)
    }
  }
})

test('a frame of 32 MiB crosses unharmed, and small requests get through beside it', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const sent = large(32 * MiB)
  let finished = false
  const echoed = client.request(server.peerId, echoProtocol, sent).finally(() => {
    finished = true
  })
  let beside = 0
  while (!finished) {
    await client.request(server.peerId, echoProtocol, message())
    if (!finished) beside++
  }
  const answer = await echoed
  assert.equal(Buffer.compare(bytes(answer), bytes(sent)), 0)
  assert.ok(beside >= 5, `${beside} small requests finished beside the large one`)
})

const bytes = ({ tensors }: Message) => {
  const { buffer, byteOffset, byteLength } = tensors.hidden!.data
  return Buffer.from(buffer, byteOffset, byteLength)
}

test('a reader that does not read holds the sender back', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const gate = Promise.withResolvers<void>()
  const read = Promise.withResolvers<number>()
  await server.handle('/swarmtune/test-slow/1.0.0', async stream => {
    await gate.promise
    let frames = 0
    while (await stream.receive()) frames++
    read.resolve(frames)
  })
  const client = await swarm.client(server)
  const stream = await client.open(server.peerId, '/swarmtune/test-slow/1.0.0')
  let sent = 0
  const sending = (async () => {
    for (; sent < 24; sent++) await stream.send(large(2 * MiB))
    await stream.close()
  })()
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise(resolve => setTimeout(resolve, 150))
  }
  assert.ok(sent < 12, `${sent} frames of 2 MiB left while nobody read`)
  gate.resolve()
  await sending
  assert.equal(await read.promise, 24)
})

test('sends that overlap arrive whole and in order', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const stream = await client.open(server.peerId, echoProtocol)
  const sizes = [MiB, 4, 300_000, 8]
  const [answers] = await Promise.all([
    Promise.all(sizes.map(() => stream.receive())),
    ...sizes.map(size => stream.send(large(size)))
  ])
  assert.deepEqual(
    answers.map(answer => answer?.tensors.hidden?.data.byteLength),
    sizes
  )
  await stream.close()
  assert.equal(await stream.receive(), null)
  assert.equal(stream.signal.aborted, false)
})

test('the memory of a tensor may be used again when send returns', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const stream = await client.open(server.peerId, echoProtocol)
  const data = new Float32Array(MiB)
  const received: number[] = []
  const reading = (async () => {
    for (let i = 0; i < 5; i++) received.push(Number((await stream.receive())?.tensors.hidden?.data.at(-1)))
  })()
  for (let i = 0; i < 5; i++) {
    data.fill(i)
    await stream.send(message(tensor('float32', [MiB], data)))
  }
  await reading
  assert.deepEqual(received, [0, 1, 2, 3, 4])
})

test('requests one after another use one place among the streams of a peer', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  await server.handle(
    '/swarmtune/test-one/1.0.0',
    async stream => {
      await stream.send((await stream.receive())!)
    },
    { maxStreamsPerPeer: 2 }
  )
  const client = await swarm.client(server)
  for (let i = 0; i < 50; i++) await client.request(server.peerId, '/swarmtune/test-one/1.0.0', message())
})

test('more streams than a peer may have are answered BUSY', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const gate = Promise.withResolvers<void>()
  await server.handle(
    '/swarmtune/test-limit/1.0.0',
    async stream => {
      const request = await stream.receive()
      await gate.promise
      await stream.send(request!)
    },
    { maxStreamsPerPeer: 2 }
  )
  const client = await swarm.client(server)
  const request = () => client.request(server.peerId, '/swarmtune/test-limit/1.0.0', message())
  const taken = [request(), request()]
  await assert.rejects(request(), { code: 'BUSY', message: /more than 2 streams/, retryAfterMs: 1000 })
  gate.resolve()
  await Promise.all(taken)
  await request()
})

test('giving up in the middle of a large frame resets the stream', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const outcome = Promise.withResolvers<unknown>()
  const opened = Promise.withResolvers<void>()
  await server.handle('/swarmtune/test-middle/1.0.0', async stream => {
    opened.resolve()
    await stream.receive().then(outcome.resolve, outcome.resolve)
  })
  const client = await swarm.client(server)
  const stream = await client.open(server.peerId, '/swarmtune/test-middle/1.0.0')
  const controller = new AbortController()
  const sending = stream.send(large(64 * MiB), { signal: controller.signal })
  // a stream that is given up before the other side has it is none there
  void opened.promise.then(() => controller.abort(new SwarmError('ABORTED', 'changed my mind')))
  await assert.rejects(sending, code('ABORTED'))
  assert.ok(code('UNREACHABLE')(await within(outcome.promise, 20_000, 'the reset')))
})

test('a receive that is given up between frames leaves the stream usable', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const stream = await client.open(server.peerId, echoProtocol)
  await stream.send(message())
  await stream.receive()
  await assert.rejects(stream.receive({ signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' })
  await stream.send(large(400))
  assert.equal((await stream.receive())?.tensors.hidden?.data.byteLength, 400)
})
