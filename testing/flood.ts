// Strangers that have a server hold as much as it lets them: frames that never end, answers that are not read. On loopback, each
// from an address of its own. Knows libp2p and the framing, none of a client's manners.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Float32Tensor, float32 } from '../common/tensor.ts'
import { KiB } from '../common/units.ts'
import type { Checkpoint } from '../model/checkpoint/checkpoint.ts'
import { portName } from '../model/layers/ports.ts'
import { parseAddress } from '../network/addresses.ts'
import { createNode, type SwarmLibp2p } from '../network/libp2p/node.ts'
import { generateIdentity } from '../network/private/identity.ts'
import { encodeFrame, type Message } from '../proto/frame.ts'

type Stream = Awaited<ReturnType<SwarmLibp2p['dialProtocol']>>

/** A peer that follows none of our rules. */
export class Stranger implements AsyncDisposable {
  readonly #libp2p: SwarmLibp2p
  readonly #address: string
  readonly #close: () => Promise<void>
  /** bytes that have left */
  sent = 0
  /** streams that the server has reset or answered */
  answered = 0

  private constructor(libp2p: SwarmLibp2p, address: string, close: () => Promise<void>) {
    this.#libp2p = libp2p
    this.#address = address
    this.#close = close
  }

  /** @param source loopback address that its connections come from, as `127.0.0.77` */
  static async meet(address: string, source = '127.0.0.1'): Promise<Stranger> {
    const port = Number(/tcp\/(\d+)/.exec(address)![1])
    const sockets = new Set<Socket>()
    const keep = (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    // libp2p dials from where the system likes: the way leads over a port of our own
    const proxy = createServer(inner => {
      const outer = connect({ port, host: '127.0.0.1', localAddress: source })
      for (const socket of [inner, outer]) keep(socket)
      inner.pipe(outer).pipe(inner)
      inner.once('close', () => outer.destroy())
      outer.once('close', () => inner.destroy())
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const privateKey = await generateIdentity()
    const libp2p = await createNode({ privateKey, listen: [], announce: [], validators: {}, selectors: {} })
    await libp2p.start()
    const { port: own } = proxy.address() as { port: number }
    return new Stranger(libp2p, address.replace(/tcp\/\d+/, `tcp/${own}`), async () => {
      for (const connection of libp2p.getConnections()) connection.abort(new Error('done'))
      await libp2p.stop()
      for (const socket of sockets) socket.destroy()
      proxy.close()
    })
  }

  async open(protocol: string): Promise<Stream> {
    const stream = await this.#libp2p.dialProtocol(parseAddress(this.#address, 'address'), protocol, {
      maxOutboundStreams: 1000
    })
    const ended = () => {
      this.answered++
      stream.removeEventListener('message', ended)
      stream.removeEventListener('close', ended)
    }
    stream.addEventListener('message', ended)
    stream.addEventListener('close', ended)
    return stream
  }

  /** Sends a frame but for its last byte, as far as the server takes it; returns when it is held, or answered. */
  async hold(protocol: string, frame: Uint8Array): Promise<void> {
    const { answered } = this
    const stream = await this.open(protocol)
    const piece = 64 * KiB
    for (let at = 0; at < frame.length - 1 && stream.status === 'open' && this.answered === answered; at += piece) {
      const part = frame.subarray(at, Math.min(at + piece, frame.length - 1))
      if (!stream.send(part)) await writable(stream)
      this.sent += part.length
    }
  }

  /** Sends a request and does not read the answer. */
  async ignoreAnswer(protocol: string, frame: Uint8Array): Promise<void> {
    const stream = await this.open(protocol)
    stream.pause()
    stream.send(frame)
    this.sent += frame.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

/** Until a stream takes more, or a tenth of a second has passed: a server that takes nothing is no reason to wait. */
function writable(stream: Stream): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      for (const event of ['drain', 'close'] as const) stream.removeEventListener(event, done)
      resolve()
    }
    const timer = setTimeout(done, 100)
    for (const event of ['drain', 'close'] as const) stream.addEventListener(event, done)
  })
}

/** The bytes of a forward request over blocks: `seq` positions, and adapters of this rank for one module of each block. */
export function forwardFrame(
  { identity, config, family }: Checkpoint,
  blocks: { first: number; end: number },
  { seq, rank = 0, keepResiduals = false }: { seq: number; rank?: number; keepResiduals?: boolean }
): Uint8Array {
  const tensors: Record<string, Float32Tensor> = {
    hidden: float32([1, seq, config.hiddenSize], new Float32Array(seq * config.hiddenSize).fill(0.1))
  }
  for (let block = blocks.first; block < blocks.end && rank > 0; block++) {
    const { name, inFeatures, outFeatures } = family.linearModules(config, 0)[0]!
    tensors[portName.lora(block, name, 'A')] = float32([rank, inFeatures], new Float32Array(rank * inFeatures))
    tensors[portName.lora(block, name, 'B')] = float32([outFeatures, rank], new Float32Array(rank * outFeatures))
  }
  const span = { model: identity, firstBlock: blocks.first, endBlock: blocks.end, timeoutMs: 0, codec: 'fp32' } as const
  const message: Message = { body: { kind: 'forwardRequest', span, keepResiduals, dropout: null }, tensors }
  const { head, payload } = encodeFrame(message)
  return new Uint8Array(Buffer.concat([head, ...payload]))
}
