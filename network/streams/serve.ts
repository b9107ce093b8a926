// Runs a handler over an incoming stream, and reports failures to the peer.
import type { Connection, Stream } from '@libp2p/interface'
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { failureMessage } from '../../proto/failure.ts'
import { busyRetryMs, closeTimeoutMs, streamBytes } from '../constants.ts'
import { sourceOf } from '../guards/source.ts'
import type { ByteBudget } from './byte-budget.ts'
import { ByteChannel } from './byte-channel.ts'
import { FramedStream } from './message-stream.ts'
import type { Handler, HandlerOptions } from './peer.ts'

export interface ServeInit {
  readonly peerId: string
  readonly remoteAddress: string
  /** key of the address that the peer is connected from */
  readonly host: string
  readonly protocol: string
  readonly maxFrameBytes: number
  readonly admit?: HandlerOptions['admit']
  /** of all protocols */
  readonly budget: ByteBudget
  readonly logger: Logger
}

/** Serves streams of one protocol, and answers BUSY to a peer that has more than `limit` of them open. */
export function limitedPerPeer(
  handler: Handler,
  limit: number,
  init: Omit<ServeInit, 'peerId' | 'remoteAddress' | 'host'>
): (stream: Stream, connection: Connection) => Promise<void> {
  const active = new Map<string, number>()
  return async (stream, connection) => {
    const peerId = connection.remotePeer.toString()
    const count = (active.get(peerId) ?? 0) + 1
    active.set(peerId, count)
    const checked: Handler = async (messages, context) => {
      if (count > limit) {
        const what = `more than ${limit} streams of ${init.protocol} from one peer (try again when one has ended)`
        throw new SwarmError('BUSY', what, { retryAfterMs: busyRetryMs })
      }
      await handler(messages, context)
    }
    const { remoteAddr } = connection
    const caller = { peerId, remoteAddress: remoteAddr.toString(), host: sourceOf(remoteAddr) }
    await serveStream(stream, checked, { ...init, ...caller })
    const left = active.get(peerId)! - 1
    if (left > 0) active.set(peerId, left)
    else active.delete(peerId)
  }
}

/** Returns when the stream is over. Never throws. */
async function serveStream(stream: Stream, handler: Handler, init: ServeInit): Promise<void> {
  const { peerId, host, remoteAddress, protocol, maxFrameBytes, admit, budget, logger } = init
  const source = { peerId, host }
  const account = budget.open(source, error => channel.refuse(error))
  // an unread answer is dropped if memory is short
  const outgoing = budget.open(source, error => channel.abort(error))
  // listens to the stream before anything is awaited
  const channel = new ByteChannel(stream, peerId, account)
  const framed = { peerId, maxFrameBytes, admit, account, outgoing, direction: 'inbound' } as const
  const messages = new FramedStream(channel, framed)
  try {
    account.add(streamBytes)
    await handler(messages, { peerId, remoteAddress, signal: messages.signal })
    await messages.finish()
  } catch (error) {
    const failure = toSwarmError(error)
    logger[failure.code === 'INTERNAL' ? 'error' : 'debug']({ peer: peerId, protocol, error }, 'a request failed')
    await answerFailure(messages, failure)
  } finally {
    account.close()
    outgoing.close()
  }
}

/** Reports the failure to the caller if the stream still works, then ends it. */
async function answerFailure(stream: FramedStream, failure: SwarmError): Promise<void> {
  if (stream.signal.aborted) return
  try {
    await stream.send(failureMessage(failure), { signal: AbortSignal.timeout(closeTimeoutMs) })
    await stream.finish()
  } catch {
    // cannot report it: the reset shows that something failed
    stream.abort(failure)
  }
}
