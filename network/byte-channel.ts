// One libp2p stream as bytes with back-pressure both ways. Every event of the stream is listened to here and nowhere
// else, from the constructor on: a reset that nobody hears could end the process. Knows nothing of frames.
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { messageOf, SwarmError } from '../common/errors.ts'
import { readAheadBytes } from './constants.ts'

export class ByteChannel {
  /** aborts when the peer resets the stream, vanishes, or closes the connection before both sides have ended */
  readonly signal: AbortSignal

  readonly #stream: Stream
  readonly #peerId: string
  readonly #controller = new AbortController()
  /** received and not yet read */
  readonly #queue: Uint8Array[] = []
  #queued = 0
  /** where the read that is waiting wants its bytes */
  #target: { bytes: Uint8Array; filled: number } | undefined
  #activeAt = performance.now()
  readonly #readers = new Set<() => void>()
  readonly #writers = new Set<() => void>()
  #remoteEnded = false
  #ended = false
  #closed = false
  #discarding = false
  #resuming = false
  #error: SwarmError | undefined

  constructor(stream: Stream, peerId: string) {
    this.signal = this.#controller.signal
    this.#stream = stream
    this.#peerId = peerId
    stream.addEventListener('message', this.#onMessage)
    stream.addEventListener('drain', this.#onWritable)
    stream.addEventListener('idle', this.#onWritable)
    stream.addEventListener('remoteCloseWrite', this.#onRemoteEnd)
    stream.addEventListener('close', this.#onClose)
    // a short request may have come and ended while its protocol was negotiated
    if (stream.remoteWriteStatus === 'closed') this.#onRemoteEnd()
    if (stream.status !== 'open')
      this.#fail(new SwarmError('UNREACHABLE', `the stream to ${peerId} is ${stream.status}`))
  }

  /** when bytes last came from the peer, or left for it: a time of `performance.now()` */
  get activeAt(): number {
    return this.#activeAt
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Fills `target`. Returns how many bytes it got: fewer only where the peer has ended its side.
   * Throws UNREACHABLE when the stream breaks, the signal's reason when it aborts, DEADLINE after `timeoutMs`.
   */
  async read(target: Uint8Array, options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<number> {
    const read = { bytes: target, filled: 0 }
    while (read.filled < target.length) {
      if (this.#queued > 0) this.#take(read)
      else if (this.#error) throw this.#error
      else if (this.#remoteEnded) break
      else {
        this.#target = read
        try {
          await wait(this.#readers, options.signal, options.timeoutMs)
        } finally {
          this.#target = undefined
        }
      }
    }
    return read.filled
  }

  /** Hands bytes to the stream once it can take them. They are the stream's until `flush` returns. */
  async write(bytes: Uint8Array | Uint8ArrayList, signal?: AbortSignal, timeoutMs?: number): Promise<void> {
    while (!this.#error && (this.#stream.writableNeedsDrain || this.#stream.writeBufferLength > 0)) {
      await wait(this.#writers, signal, timeoutMs)
    }
    signal?.throwIfAborted()
    if (this.#error) throw this.#error
    try {
      this.#stream.send(bytes)
    } catch (error) {
      throw (
        this.#error ??
        new SwarmError('UNREACHABLE', `cannot send to ${this.#peerId}: ${messageOf(error)}`, { cause: error })
      )
    }
  }

  /** Waits until everything written has been encrypted and its memory may be used again. */
  async flush(signal?: AbortSignal): Promise<void> {
    while (!this.#error && this.#stream.writeBufferLength > 0) await wait(this.#writers, signal)
    if (this.#error) throw this.#error
  }

  /** Ends our side; the peer's may go on. Does nothing on a stream that is over. */
  async end(signal?: AbortSignal): Promise<void> {
    if (this.#ended || this.#closed) return
    this.#ended = true
    try {
      await this.#stream.close(signal ? { signal } : {})
    } catch (error) {
      // broken while the last bytes were leaving: the close event has told readers and writers already
      if (!this.#closed) this.abort(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }

  /** Throws away what comes from now on, until the stream is over; after `timeoutMs` it is reset. */
  async discard(timeoutMs: number): Promise<void> {
    this.#discarding = true
    this.#queue.length = 0
    this.#queued = 0
    this.#resume()
    try {
      while (!this.#closed) await wait(this.#readers, undefined, timeoutMs)
    } catch {
      this.abort(new SwarmError('DEADLINE', `${this.#peerId} did not end the stream in ${timeoutMs} ms`))
    }
  }

  /** Resets the stream: both directions, at once. */
  abort(error: Error): void {
    if (this.#closed) return
    this.#error ??= error instanceof SwarmError ? error : new SwarmError('ABORTED', error.message, { cause: error })
    this.#stream.abort(error)
  }

  #onMessage = (event: StreamMessageEvent): void => {
    this.#activeAt = performance.now()
    if (this.#discarding) return
    const { data } = event
    for (const bytes of data instanceof Uint8Array ? [data] : data) this.#queue.push(bytes)
    this.#queued += data.byteLength
    if (this.#target) this.#take(this.#target)
    if (!this.#resuming) this.#pauseIfFull()
    // a large read is woken once, when it is complete
    if (!this.#target || this.#target.filled === this.#target.bytes.length) wake(this.#readers)
  }

  #onWritable = (): void => {
    this.#activeAt = performance.now()
    wake(this.#writers)
  }

  #onRemoteEnd = (): void => {
    // libp2p tells of the end before the data that came in the same yamux frame
    queueMicrotask(() => {
      this.#remoteEnded = true
      this.#resume()
      wake(this.#readers)
    })
  }

  #onClose = (event: StreamCloseEvent): void => {
    this.#closed = true
    // what had arrived before the end can still be read
    this.#resume()
    queueMicrotask(() => {
      if (event.error === undefined && this.#remoteEnded && this.#ended) {
        wake(this.#readers)
        wake(this.#writers)
        return
      }
      const why = event.error === undefined ? 'closed the connection' : 'reset the stream or vanished'
      this.#fail(new SwarmError('UNREACHABLE', `${this.#peerId} ${why}`, { cause: event.error }))
    })
  }

  #fail(error: SwarmError): void {
    this.#closed = true
    this.#error ??= error
    wake(this.#readers)
    wake(this.#writers)
    this.#controller.abort(this.#error)
  }

  /** Moves queued bytes to where a read wants them. */
  #take(read: { bytes: Uint8Array; filled: number }): void {
    let used = 0
    while (used < this.#queue.length && read.filled < read.bytes.length) {
      const next = this.#queue[used]!
      const room = read.bytes.length - read.filled
      const part = next.length <= room ? next : next.subarray(0, room)
      read.bytes.set(part, read.filled)
      read.filled += part.length
      this.#queued -= part.length
      if (part === next) used++
      else this.#queue[used] = next.subarray(room)
    }
    this.#queue.splice(0, used)
    if (this.#queued === 0) this.#resume()
  }

  #pauseIfFull(): void {
    const { readStatus } = this.#stream
    if (this.#queued > readAheadBytes && readStatus === 'readable' && !this.#closed) this.#stream.pause()
  }

  /** Lets a paused stream deliver again. It may deliver, and fill the queue, before `resume` returns: pause after. */
  #resume(): void {
    if (this.#stream.readStatus !== 'paused' || this.#resuming) return
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch (error) {
      // the data is out; telling the peer to go on fails where the connection is gone
      this.#stream.log('cannot resume: %s', messageOf(error))
    } finally {
      this.#resuming = false
    }
    this.#pauseIfFull()
  }
}

/** Waits for the next `wake`; rejects with the signal's reason when it aborts first, with DEADLINE after `timeoutMs`. */
function wait(waiters: Set<() => void>, signal?: AbortSignal, timeoutMs?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const finish = (then: () => void) => () => {
      waiters.delete(woken)
      signal?.removeEventListener('abort', aborted)
      clearTimeout(timer)
      then()
    }
    const woken = finish(resolve)
    const aborted = finish(() => reject(signal?.reason))
    const late = finish(() => reject(new SwarmError('DEADLINE', `the other side did nothing for ${timeoutMs} ms`)))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
    waiters.add(woken)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

function wake(waiters: Set<() => void>): void {
  for (const woken of [...waiters]) woken()
}
