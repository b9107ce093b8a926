// Reduces system calls and packets for small frames; on the wire only the segmentation changes.

import type { yamux } from '@chainsafe/libp2p-yamux'
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
  Stream
} from '@libp2p/interface'
import { KiB } from '../../common/units.ts'

/** larger writes are worth a system call each, smaller ones are worth a copy */
const maxJoinedBytes = 32 * KiB

/** An encrypter whose output leaves in one write. Noise hands over length, ciphertext and tag as separate buffers. */
export function writesOnce<C, E>(
  create: (components: C) => ConnectionEncrypter<E>
): (components: C) => ConnectionEncrypter<E> {
  return components => {
    const encrypter = create(components)
    const joined = (connection: MessageStream): MessageStream => {
      const send = connection.send.bind(connection)
      connection.send = data => send(data.byteLength <= maxJoinedBytes ? data.subarray() : data)
      return connection
    }
    const secure =
      (run: (connection: MessageStream, options?: SecureConnectionOptions) => Promise<SecuredConnection<E>>) =>
      (connection: MessageStream, options?: SecureConnectionOptions) =>
        run.call(encrypter, joined(connection), options)
    encrypter.secureInbound = secure(encrypter.secureInbound)
    encrypter.secureOutbound = secure(encrypter.secureOutbound)
    return encrypter
  }
}

type YamuxFactory = ReturnType<ReturnType<typeof yamux>>

/** maximum window of a reader, decided with each update */
const window = Symbol('window')

/** the part of js-libp2p's yamux stream that its type does not show, 8.x */
interface YamuxStream extends Stream {
  readonly state: number
  recvWindow: number
  recvWindowCapacity: number
  maxStreamWindowSize: number
  sendWindowUpdate(): void
  [window]?: () => number
}

/** its StreamState.Established */
const established = 3

/** Lets a reader decide the window of its stream; 0: no more for now. Windows of other streams grow by round trips. */
export function setWindow(stream: Stream, bytes: () => number): void {
  ;(stream as YamuxStream)[window] = bytes
}

/** Sends an update if the window has grown. */
export function updateWindow(stream: Stream): void {
  const { sendWindowUpdate, state } = stream as YamuxStream
  if (stream.status === 'open' && state === established) sendWindowUpdate?.call(stream)
}

/**
 * A yamux that gives a sender new window when half of it is used, as the Go implementation does: js-libp2p's answers
 * every data frame with an update, which for small frames in turns doubles the packets. A sender also gets no more
 * window than the reader of its stream wants; js-libp2p's grows to its full size by round trips even without a reader.
 */
export function readerWindows(create: () => YamuxFactory): () => YamuxFactory {
  const tune = (stream: YamuxStream) => {
    const update = stream.sendWindowUpdate.bind(stream)
    stream.sendWindowUpdate = () => {
      // before a stream is established its first update carries the flag that establishes it
      if (stream.state === established) {
        const most = stream[window]?.()
        if (most === 0) return
        // granted window is never revoked, but not renewed beyond the currently wanted size
        if (most !== undefined) stream.recvWindow = stream.maxStreamWindowSize = most
        if (stream.recvWindowCapacity > stream.recvWindow / 2) return
      }
      try {
        update()
      } catch (error) {
        // yamux opens streams from a microtask: if the connection has just closed, this is the only handler
        stream.abort(error as Error)
      }
    }
  }
  return () => {
    const factory = create()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection)
      const onCreateStream = muxer.onCreateStream.bind(muxer)
      muxer.onCreateStream = () => {
        const stream = onCreateStream()
        tune(stream as unknown as YamuxStream)
        return stream
      }
      // not by the 'stream' event: a first listener would swallow the streams that libp2p has no listener for yet
      const onRemoteStream = muxer.onRemoteStream.bind(muxer)
      muxer.onRemoteStream = stream => {
        tune(stream as unknown as YamuxStream)
        onRemoteStream(stream)
      }
      return muxer
    }
    return factory
  }
}
