import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { SwarmError } from '../../common/errors.ts'
import { float32 } from '../../common/tensor.ts'
import { MiB } from '../../common/units.ts'
import { createNode, type SwarmLibp2p } from '../../network/libp2p/node.ts'
import { generateIdentity } from '../../network/private/identity.ts'
import { ByteChannel } from '../../network/streams/byte-channel.ts'
import { FramedStream } from '../../network/streams/message-stream.ts'
import { encodeFrame } from '../../proto/frame.ts'
import { maxHeaderBytes } from '../../proto/limits.ts'
import { aborted, echoPair, echoProtocol, large, message, Swarm, until, within } from './harness.ts'

/** A peer that follows no rules of ours: libp2p alone. */
class Stranger implements AsyncDisposable {
  readonly libp2p: SwarmLibp2p
  readonly #address: string

  constructor(libp2p: SwarmLibp2p, address: string) {
    this.libp2p = libp2p
    this.#address = address
  }

  static async meet(address: string): Promise<Stranger> {
    const privateKey = await generateIdentity()
    const libp2p = await createNode({ privateKey, listen: [], announce: [], validators: {}, selectors: {} })
    await libp2p.start()
    return new Stranger(libp2p, address)
  }

  open(protocol: string): Promise<Stream> {
    return this.libp2p.dialProtocol(multiaddr(this.#address), protocol, { maxOutboundStreams: 1000 })
  }

  /** What the server answers to raw bytes: the code of its Failure, or 'closed' where it just ends the stream. */
  async answerTo(bytes: Uint8Array, end: boolean): Promise<string> {
    const stream = await this.open(echoProtocol)
    const channel = new ByteChannel(stream, 'the server')
    const framed = new FramedStream(channel, { peerId: 'the server', maxFrameBytes: MiB, direction: 'outbound' })
    const answer = framed.receive().then(
      received => (received ? 'answered' : 'closed'),
      (error: SwarmError) => error.code
    )
    if (bytes.length > 0) await channel.write(bytes).catch(() => {})
    if (end) await channel.end()
    const code = await within(answer, 10_000, 'an answer to raw bytes')
    framed.abort(new Error('done'))
    return code
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.libp2p.getConnections()) connection.abort(new Error('done'))
    await this.libp2p.stop()
  }
}

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of buffers and of objects that are still reachable. */
function usedBytes(): number {
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

const { head, payload } = encodeFrame(message(float32([64], new Float32Array(64))))
const good = new Uint8Array(Buffer.concat([head, ...payload]))

function changed(change: (bytes: Uint8Array, view: DataView) => void): Uint8Array {
  const bytes = good.slice()
  change(bytes, new DataView(bytes.buffer))
  return bytes
}

test('bad frames are answered with BAD_FRAME, and the server goes on serving others', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  await using stranger = await Stranger.meet(server.addresses[0]!)
  const cases: [string, Uint8Array, boolean][] = [
    ['wrong magic', changed(bytes => bytes.set([0x47])), false],
    ['HTTP', new TextEncoder().encode('GET / HTTP/1.1\r\nhost: x\r\n\r\n'), false],
    ['a later version', changed(bytes => bytes.set([2], 3)), false],
    ['a header over the limit', changed((_, view) => view.setUint32(4, maxHeaderBytes + 1, true)), false],
    ['a payload over the limit', changed((_, view) => view.setBigUint64(8, 2n ** 50n, true)), false],
    ['a payload unlike the header', changed((_, view) => view.setBigUint64(8, 1024n, true)), false],
    ['a header that is no protobuf', changed(bytes => bytes.fill(0xff, 16, 30)), false],
    ['a truncated prefix', good.subarray(0, 9), true],
    ['a truncated header', good.subarray(0, 20), true],
    ['a truncated payload', good.subarray(0, good.length - 1), true]
  ]
  for (const [what, bytes, end] of cases) {
    assert.equal(await stranger.answerTo(bytes, end), 'BAD_FRAME', what)
    await client.request(server.peerId, echoProtocol, message())
  }
  assert.equal(await stranger.answerTo(new Uint8Array(), true), 'closed')
})

test('random bytes and damaged frames do no harm, and the memory returns', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  await using stranger = await Stranger.meet(server.addresses[0]!)
  const raw = fc.uint8Array({ maxLength: 2000 })
  const damaged = fc
    .tuple(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: good.length })
    )
    .map(([changes, length]) => {
      const bytes = good.slice(0, length)
      for (const [at, value] of changes) if (at < length) bytes[at] = value
      return bytes
    })
  const answers = new Set<string>()
  const run = (numRuns: number) =>
    fc.assert(
      fc.asyncProperty(fc.oneof(raw, damaged), async bytes => {
        answers.add(await stranger.answerTo(bytes, true))
      }),
      { numRuns }
    )
  await run(50)
  const before = usedBytes()
  await run(250)
  await client.request(server.peerId, echoProtocol, large(MiB))
  await until(() => usedBytes() < before + 8 * MiB, 'giving the memory back')
  for (const answer of answers) assert.ok(['BAD_FRAME', 'answered', 'closed'].includes(answer), answer)
})

/** The header of a frame of 64 MiB, and a first thousand bytes of it. */
function beginLarge(stream: Stream): void {
  const frame = encodeFrame(large(64 * MiB))
  stream.send(frame.head)
  stream.send(frame.payload[0]!.slice(0, 1000))
}

test('a frame that is promised and not sent costs nothing once its sender is gone', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  const before = usedBytes()
  {
    await using stranger = await Stranger.meet(server.addresses[0]!)
    for (let i = 0; i < 20; i++) beginLarge(await stranger.open(echoProtocol))
    await client.request(server.peerId, echoProtocol, message())
  }
  await until(() => usedBytes() < before + 8 * MiB, 'giving the memory back')
})

test('streams that are reset at any moment end nothing but themselves', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  let handled = 0
  await server.handle(echoProtocol, async (stream, { signal }) => {
    handled++
    await stream.receive()
    await Promise.all([stream.send(large(2 * MiB)), aborted(signal)])
  })
  const client = await swarm.client(server)
  await using stranger = await Stranger.meet(server.addresses[0]!)
  for (let i = 0; i < 40; i++) {
    const stream = await stranger.open(echoProtocol)
    stream.addEventListener('close', () => {})
    if (i % 2) stream.send(good.subarray(0, i * 5))
    if (i % 4 === 3) await new Promise(resolve => setTimeout(resolve, i % 8))
    stream.abort(new Error('never mind'))
  }
  const stream = await client.open(server.peerId, echoProtocol)
  await stream.send(message())
  assert.equal((await stream.receive())?.tensors.hidden?.data.byteLength, 2 * MiB)
  stream.abort(new SwarmError('ABORTED', 'enough'))
  assert.ok(handled > 1)
})

test('a stream on which nothing is said counts against the limit of its peer only', async () => {
  await using swarm = new Swarm()
  const { server, client } = await echoPair(swarm)
  await using stranger = await Stranger.meet(server.addresses[0]!)
  for (let i = 0; i < 64; i++) await stranger.open(echoProtocol)
  assert.equal(await stranger.answerTo(good, false), 'BUSY')
  await client.request(server.peerId, echoProtocol, message())
})
