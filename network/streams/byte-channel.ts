// One libp2p stream as bytes with back-pressure both ways. Every event of the stream is listened to here and nowhere
// else, from the constructor on: an unhandled reset could end the process. Knows nothing of frames.

import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { onAbort } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { idleWindowBytes, readAheadBytes, streamWindowBytes } from '../constants.ts'
import type { ByteAccount } from './byte-budget.ts'
import { setWindow, updateWindow } from './transport-tuning.ts'

export class ByteChannel {
  /** aborts when the peer resets the stream, vanishes, or closes the connection before both sides have ended */
  readonly signal: AbortSignal

  readonly #stream: Stream
  readonly #peerId: string
  readonly #controller = new AbortController()
  /** received and not yet read */
  readonly #queue: Uint8Array[] = []
  #queued = 0
  /** target of the pending read */
  #target: { bytes: Uint8Array; filled: number } | undefined
  #activeAt = performance.now()
  readonly #readers = new Set<() => void>()
  readonly #writers = new Set<() => void>()
  #remoteEnded = false
  #ended = false
  #closed = false
  #discarding = false
  /** bytes that the reader is about to ask for */
  #expected = 0
  readonly #account: ByteAccount | undefined
  /** the cause why reads fail although the stream is intact */
  #refused: SwarmError | undefined
  #error: SwarmError | undefined

  /** @param account charged for bytes from their arrival until its owner releases them; default: no charge */
  constructor(stream: Stream, peerId: string, account?: ByteAccount) {
    this.signal = this.#controller.signal
    this.#stream = stream
    this.#peerId = peerId
    this.#account = account
    // a peer may send ahead no more than the reader is known to want
    setWindow(stream, () => (this.#queued > readAheadBytes ? 0 : this.#windowBytes()))
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

  /** when bytes last arrived from the peer, or were sent to it: a time of `performance.now()` */
  get activeAt(): number {
    return this.#activeAt
  }

  /** bytes that are here to be read */
  get available(): number {
    return this.#queued
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Lets the peer send this many bytes ahead of the reads that will ask for them, within the window of a stream. */
  expect(bytes: number): void {
    this.#expected = bytes
    if (bytes > idleWindowBytes) updateWindow(this.#stream)
  }

  /** Fails all further reads with this error and discards incoming bytes. Sending still works. */
  refuse(error: SwarmError): void {
    if (this.#refused !== undefined || this.#closed) return
    this.#refused = error
    this.#drop()
    wake(this.#readers)
  }

  /**
   * Fills `target`. Returns the number of bytes: fewer only if the peer has ended its side. Throws BUSY after `refuse`,
   * UNREACHABLE when the stream breaks, the signal's reason when it aborts, DEADLINE after `timeoutMs`.
   */
  async read(target: Uint8Array, options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<number> {
    const read = { bytes: target, filled: 0 }
    while (read.filled < target.length) {
      if (this.#refused) throw this.#refused
      else if (this.#queued > 0) this.#take(read)
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

  /** Passes bytes to the stream once it has room. They belong to the stream until `flush` resolves. */
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

  /** Ends our side; the peer's stays open. Does nothing on a closed stream. */
  async end(signal?: AbortSignal): Promise<void> {
    if (this.#ended || this.#closed) return
    this.#ended = true
    try {
      await this.#stream.close(signal ? { signal } : {})
    } catch (error) {
      // broken while the last bytes were sent: the close event has already informed readers and writers
      if (!this.#closed) this.abort(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }

  /** Discards further bytes until the stream ends; resets it after `timeoutMs`. */
  async discard(timeoutMs: number): Promise<void> {
    this.#drop()
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
    try {
      this.#account?.add(data.byteLength)
    } catch (error) {
      this.refuse(error as SwarmError)
      return
    }
    // the eviction for this frame may have hit its own account
    if (this.#discarding) return
    for (const bytes of data instanceof Uint8Array ? [data] : data) this.#queue.push(bytes)
    this.#queued += data.byteLength
    if (this.#target) this.#take(this.#target)
    // a large read is woken once, when it is complete
    if (!this.#target || this.#target.filled === this.#target.bytes.length) wake(this.#readers)
  }

  #onWritable = (): void => {
    this.#activeAt = performance.now()
    wake(this.#writers)
  }

  #onRemoteEnd = (): void => {
    // libp2p reports the end before the data of the same yamux frame
    queueMicrotask(() => {
      this.#remoteEnded = true
      wake(this.#readers)
    })
  }

  #onClose = (event: StreamCloseEvent): void => {
    this.#closed = true
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

  /** Moves queued bytes to the target of the pending read. */
  #take(read: { bytes: Uint8Array; filled: number }): void {
    const before = read.filled
    const wasFull = this.#queued > readAheadBytes
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
    this.#expected = Math.max(0, this.#expected - (read.filled - before))
    if (wasFull && this.#queued <= readAheadBytes) updateWindow(this.#stream)
  }

  #windowBytes(): number {
    return Math.min(Math.max(this.#expected - this.#queued, idleWindowBytes), streamWindowBytes)
  }

  /** Discards queued and further bytes. */
  #drop(): void {
    this.#discarding = true
    this.#account?.give(this.#queued)
    this.#queue.length = 0
    this.#queued = 0
    updateWindow(this.#stream)
  }
}

/** Waits for the next `wake`; rejects with the signal's reason when it aborts first, with DEADLINE after `timeoutMs`. */
function wait(waiters: Set<() => void>, signal?: AbortSignal, timeoutMs?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const finish = (then: () => void) => () => {
      waiters.delete(woken)
      stop()
      clearTimeout(timer)
      then()
    }
    const woken = finish(resolve)
    const late = finish(() => reject(new SwarmError('DEADLINE', `the other side did nothing for ${timeoutMs} ms`)))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
    waiters.add(woken)
    const stop = onAbort(
      signal,
      finish(() => reject(signal?.reason))
    )
  })
}

function wake(waiters: Set<() => void>): void {
  for (const woken of [...waiters]) woken()
}
