// Frames over one stream: sends and receives whole messages, alternating or at once. Knows nothing about their meaning.

import { Uint8ArrayList } from 'uint8arraylist'
import { SerialQueue, settled, unlessAborted } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { bytesOf } from '../../common/tensor.ts'
import { formatBytes } from '../../common/units.ts'
import { failureError } from '../../proto/failure.ts'
import {
  type CodecChoice,
  type FrameBody,
  layFrame,
  type Message,
  parseFrameHeader,
  parsePrefix,
  prefixBytes,
  readTensors,
  type TensorLayout
} from '../../proto/frame.ts'
import {
  chunkBytes,
  closeTimeoutMs,
  firstAnswerBytes,
  firstFrameTimeoutMs,
  firstRequestBytes,
  stallTimeoutMs
} from '../constants.ts'
import type { ByteAccount } from './byte-budget.ts'
import type { ByteChannel } from './byte-channel.ts'

/** Bytes of frames, as they are on the wire before they are encrypted; grows. */
export interface ByteCount {
  sent: number
  received: number
}

/** A stream of messages to one peer. */
export interface MessageStream {
  readonly peerId: string
  /** aborts when the peer resets the stream, vanishes or closes the connection; never after a clean end of both sides */
  readonly signal: AbortSignal
  /** when bytes last came from the peer, or left for it: a time of `performance.now()` */
  readonly activeAt: number
  /**
   * Sends one message; resolves when the tensors' memory may be reused. Calls are queued. Throws UNREACHABLE if the
   * stream breaks, INVALID_ARGUMENT for a frame above the peer's announced limit. Aborting in the middle of a frame
   * resets the stream.
   */
  send(message: Message, options?: { signal?: AbortSignal; codec?: CodecChoice }): Promise<void>
  /**
   * The next message, null after the peer has ended its side. Throws the error of a Failure frame, BAD_FRAME on bytes
   * that are no frame, UNREACHABLE when the stream breaks. Calls queue up behind each other.
   */
  receive(options?: { signal?: AbortSignal }): Promise<Message | null>
  /** Ends our side, once all that was sent has left. */
  close(): Promise<void>
  /** Resets both sides at once. */
  abort(error: Error): void
}

export interface FramedStreamInit {
  readonly peerId: string
  /** most bytes of a frame that is read */
  readonly maxFrameBytes: number
  /** `outbound`: we opened it. Decides whose fault a frame is that ends in the middle */
  readonly direction: 'inbound' | 'outbound'
  /** account that is charged for the channel's bytes: released when the next frame is read or the stream ends */
  readonly account?: ByteAccount
  /** account that is charged for frames until they are sent */
  readonly outgoing?: ByteAccount
  /** checks a frame's header before its payload is read; throws to refuse the frame */
  readonly admit?: (body: FrameBody, layout: readonly TensorLayout[], peerId: string) => void
  /** bytes of header and payload of the largest frame that the peer accepts, as announced; default: not announced */
  readonly mostSent?: () => number
  /** counters of this stream's frames */
  readonly count?: ByteCount
  /** sent before the first frame, without waiting for its answer */
  readonly preface?: Uint8Array
  /** reads the answer to the preface; throws if the peer refuses */
  readonly negotiate?: (channel: ByteChannel) => Promise<void>
}

export class FramedStream implements MessageStream {
  readonly peerId: string
  readonly signal: AbortSignal

  readonly #channel: ByteChannel
  readonly #init: FramedStreamInit
  #preface: Uint8Array | undefined
  #negotiated: Promise<void> | undefined
  readonly #sending = new SerialQueue()
  readonly #receiving = new SerialQueue()
  /** the peer has begun to speak */
  #heard = false
  /** bytes of the last frame in the account */
  #held = 0
  /** the cause why reading is over: the bytes are out of sync */
  #broken: unknown

  constructor(channel: ByteChannel, init: FramedStreamInit) {
    this.peerId = init.peerId
    this.signal = channel.signal
    this.#channel = channel
    this.#init = init
    this.#preface = init.preface
  }

  get activeAt(): number {
    return this.#channel.activeAt
  }

  send(message: Message, options: { signal?: AbortSignal; codec?: CodecChoice } = {}): Promise<void> {
    return this.#sending.run(() => this.#send(message, options))
  }

  receive(options: { signal?: AbortSignal } = {}): Promise<Message | null> {
    return this.#receiving.run(() => this.#receive(options.signal))
  }

  async close(): Promise<void> {
    await this.#sending.idle
    if (this.#preface) return this.#channel.abort(new SwarmError('ABORTED', 'the stream was not used'))
    // a js-libp2p listener loses a stream that ends before its protocol is agreed on
    const limit = AbortSignal.timeout(closeTimeoutMs)
    await settled(this.#negotiate(limit))
    await this.#channel.end(limit)
  }

  /** Releases the memory of the last frame. */
  release(): void {
    this.#init.account?.give(this.#held)
    this.#held = 0
  }

  abort(error: Error): void {
    this.#channel.abort(error)
  }

  /** Ends our side and waits for the peer to end its own, reading nothing more; after a grace period resets. */
  async finish(): Promise<void> {
    await this.close()
    await this.#channel.discard(closeTimeoutMs)
  }

  async #send(message: Message, { signal, codec }: { signal?: AbortSignal; codec?: CodecChoice }): Promise<void> {
    signal?.throwIfAborted()
    const frame = layFrame(message, codec)
    const { outgoing } = this.#init
    const bytes = frame.head.length + frame.payloadBytes
    const most = this.#init.mostSent?.() ?? Infinity
    if (bytes - prefixBytes > most) throw tooLarge(this.peerId, bytes, most)
    outgoing?.begin()
    outgoing?.force(bytes)
    const large = bytes > chunkBytes
    const batch = new Uint8ArrayList()
    let begun = false
    const write = async () => {
      // other streams and timers get their turn between the pieces of a large frame
      if (begun) await new Promise(resolve => setImmediate(resolve))
      // a caller that does not read the answer makes this peer hold it
      const timeoutMs = this.#init.direction === 'inbound' ? stallTimeoutMs : undefined
      await this.#channel.write(batch.sublist(), signal, timeoutMs)
      outgoing?.moved(batch.byteLength)
      const first = !begun
      begun = true
      batch.consume(batch.byteLength)
      // a listener buffers little of a stream without an agreed protocol
      if (first && large) await this.#negotiate(signal)
    }
    try {
      if (this.#preface) batch.append(this.#preface)
      batch.append(frame.head)
      for (const piece of frame.pieces(chunkBytes)) {
        if (large && batch.byteLength + piece.byteLength > chunkBytes) await write()
        batch.append(piece)
      }
      await write()
      this.#preface = undefined
      await this.#channel.flush(signal)
      if (this.#init.count) this.#init.count.sent += bytes
    } catch (error) {
      // half a frame cannot be revoked
      if (begun) this.#channel.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    } finally {
      outgoing?.end()
      outgoing?.give(bytes)
    }
  }

  async #receive(signal?: AbortSignal): Promise<Message | null> {
    if (this.#broken !== undefined) throw this.#broken
    signal?.throwIfAborted()
    const progress = { begun: false }
    try {
      const message = await this.#readFrame(progress, signal)
      if (message?.body.kind === 'failure') throw failureError(message.body)
      return message
    } catch (error) {
      if (progress.begun) {
        this.#broken = error
        if (signal?.aborted) this.#channel.abort(error instanceof Error ? error : new Error(String(error)))
      }
      throw error
    }
  }

  /** `progress.begun` says that bytes of a frame were consumed and cannot be read again. */
  async #readFrame(progress: { begun: boolean }, signal?: AbortSignal): Promise<Message | null> {
    await this.#negotiate(signal)
    this.release()
    const { account, maxFrameBytes, admit } = this.#init
    const prefix = new Uint8Array(prefixBytes)
    const waitsForFirst = this.#init.direction === 'inbound' && !this.#heard
    const timeout = waitsForFirst ? { timeoutMs: firstFrameTimeoutMs } : {}
    const first = await this.#channel.read(prefix.subarray(0, 1), { ...timeout, ...(signal && { signal }) })
    if (first === 0) return null
    this.#heard = true
    progress.begun = true
    account?.begin()
    await this.#readFull(prefix.subarray(1), signal)
    const { headerBytes, payloadBytes } = parsePrefix(prefix, maxFrameBytes)
    const header = await this.#readBytes(headerBytes, signal)
    const { body, layout } = parseFrameHeader(header, payloadBytes, maxFrameBytes)
    admit?.(body, layout, this.peerId)
    this.#channel.expect(payloadBytes)
    const payload = await this.#readBytes(payloadBytes, signal)
    account?.end()
    const tensors = readTensors(layout, payload)
    this.#held = prefix.length + headerBytes + payloadBytes
    const copied = decodedBytes(layout)
    account?.force(copied)
    if (this.#init.count) this.#init.count.received += this.#held
    this.#held += copied
    progress.begun = false
    return { body, tensors }
  }

  /** Reads the answer to the preface once; a caller that aborts does not stop it for the others. */
  #negotiate(signal?: AbortSignal): Promise<void> {
    if (this.#negotiated === undefined) {
      this.#negotiated = this.#init.negotiate?.(this.#channel) ?? Promise.resolve()
      void settled(this.#negotiated) // everybody may have given up
    }
    return signal === undefined ? this.#negotiated : unlessAborted(this.#negotiated, signal)
  }

  /** Maximum bytes of a buffer that is allocated before they arrive. */
  get #firstBytes(): number {
    return this.#init.direction === 'outbound' ? firstAnswerBytes : firstRequestBytes
  }

  /** Reads this many bytes: at once where they are few, else as they arrive. */
  async #readBytes(length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    if (length > this.#firstBytes) return await this.#readGrowing(length, signal)
    const bytes = new Uint8Array(length)
    await this.#readFull(bytes, signal)
    return bytes
  }

  /** Reads this many bytes into memory that grows with what arrives: a size that is only announced costs nothing. */
  async #readGrowing(length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    // not zeroed: untouched pages take no memory, and the read overwrites all bytes
    const grown = (at: number) =>
      new Uint8Array(
        Buffer.allocUnsafeSlow(Math.min(length, Math.max(4 * at, at + this.#channel.available, this.#firstBytes)))
          .buffer
      )
    let bytes = grown(0)
    try {
      for (let at = 0; at < length; ) {
        if (at > 0) {
          const larger = grown(at)
          larger.set(bytes)
          bytes.buffer.transfer(0) // goes back now, not when V8 next collects garbage
          bytes = larger
        }
        await this.#readFull(bytes.subarray(at), signal)
        at = bytes.length
      }
      return bytes
    } catch (error) {
      bytes.buffer.transfer(0)
      throw error
    }
  }

  /** Fills `target`, piece by piece so that a peer that stalls is noticed. */
  async #readFull(target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const step = 8 * chunkBytes
    for (let at = 0; at < target.length; at += step) {
      const part = target.subarray(at, at + step)
      const read = await this.#channel.read(part, { timeoutMs: stallTimeoutMs, ...(signal && { signal }) })
      if (read < part.length) {
        const message = `${this.peerId} ended the stream in the middle of a frame`
        throw new SwarmError(this.#init.direction === 'inbound' ? 'BAD_FRAME' : 'UNREACHABLE', message)
      }
    }
  }
}

/** Another server may accept more. */
function tooLarge(peerId: string, bytes: number, most: number): SwarmError {
  return new SwarmError(
    'INVALID_ARGUMENT',
    `peer …${peerId.slice(-8)} accepts frames of up to ${formatBytes(most)} as it announces, this one has ${formatBytes(bytes)}: send fewer rows or smaller adapters at once`,
    { retryable: true }
  )
}

/** Bytes that decoding makes beside the payload: elements of coded tensors. */
function decodedBytes(layout: readonly TensorLayout[]): number {
  return layout.reduce((sum, { codec, shape }) => sum + (codec === 'fp32' ? 0 : bytesOf('float32', shape)), 0)
}
