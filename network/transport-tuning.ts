// Fewer system calls and packets for small frames; nothing changes on the wire but how bytes are cut.

import type { yamux } from '@chainsafe/libp2p-yamux'
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
  Stream
} from '@libp2p/interface'
import { KiB } from '../common/units.ts'

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

/** the part of js-libp2p's yamux stream that its type does not show, 8.x */
interface YamuxStream extends Stream {
  readonly state: number
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

/** its StreamState.Established */
const established = 3

/**
 * A yamux that gives a sender new window when half of it is used, as the Go implementation does. js-libp2p's answers every
 * data frame with an update: for small frames in turns that doubles the packets.
 */
export function lazyWindowUpdates(create: () => YamuxFactory): () => YamuxFactory {
  const tune = (stream: YamuxStream) => {
    const update = stream.sendWindowUpdate.bind(stream)
    stream.sendWindowUpdate = () => {
      // before a stream is established its first update carries the flag that establishes it
      if (stream.state === established && stream.recvWindowCapacity > stream.recvWindow / 2) return
      try {
        update()
      } catch (error) {
        // yamux opens streams from a microtask: when the connection has closed just before, nobody else catches this
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
