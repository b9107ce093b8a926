// Runs a handler over one stream that a peer has opened to us, and tells the peer what failed.
import type { Stream } from '@libp2p/interface'
import { type SwarmError, toSwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { failureMessage } from '../proto/failure.ts'
import { ByteChannel } from './byte-channel.ts'
import { closeTimeoutMs } from './constants.ts'
import { FramedStream } from './message-stream.ts'
import type { Handler } from './network.ts'

export interface ServeInit {
  readonly peerId: string
  readonly protocol: string
  readonly maxFrameBytes: number
  readonly logger: Logger
}

/** Returns when the stream is over. Never throws. */
export async function serveStream(stream: Stream, handler: Handler, init: ServeInit): Promise<void> {
  const { peerId, protocol, maxFrameBytes, logger } = init
  // listens to the stream before anything is awaited
  const messages = new FramedStream(new ByteChannel(stream, peerId), { peerId, maxFrameBytes, direction: 'inbound' })
  try {
    await handler(messages, { peerId, signal: messages.signal })
    await messages.finish()
  } catch (error) {
    const failure = toSwarmError(error)
    logger[failure.code === 'INTERNAL' ? 'error' : 'debug']({ peer: peerId, protocol, error }, 'a request failed')
    await answerFailure(messages, failure)
  }
}

/** Tells the caller what failed where the stream still can, then ends it. */
async function answerFailure(stream: FramedStream, failure: SwarmError): Promise<void> {
  if (stream.signal.aborted) return
  try {
    await stream.send(failureMessage(failure), { signal: AbortSignal.timeout(closeTimeoutMs) })
    await stream.finish()
  } catch {
    // no way to tell: the reset says that something failed
    stream.abort(failure)
  }
}
