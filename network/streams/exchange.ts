// A request and its answer on a separate stream.
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { Message } from '../../proto/frame.ts'
import type { FramedStream } from './message-stream.ts'
import type { RequestOptions } from './peer.ts'

/**
 * Sends the message, returns the answer, and ends the stream. Throws the peer's Failure, UNREACHABLE, the signal's
 * reason.
 */
export async function exchange(
  components: { stream: FramedStream; logger: Logger },
  peer: string,
  message: Message,
  { signal, codec }: Pick<RequestOptions, 'codec'> & { signal: AbortSignal }
): Promise<Message> {
  const { stream, logger } = components
  try {
    const sent = stream.send(message, { signal, ...(codec && { codec }) })
    // a failed send breaks the stream, so the wait for the answer ends too, unless the answer (perhaps a Failure) has
    // already arrived
    sent.then(() => stream.close()).catch(error => stream.abort(toSwarmError(error)))
    const answer = await stream.receive({ signal })
    if (answer === null) throw new SwarmError('UNREACHABLE', `${peer} ended the stream without an answer`)
    stream.finish().catch(error => logger.debug({ peer, error }, 'stream did not end cleanly'))
    return answer
  } catch (error) {
    const failure = toSwarmError(error)
    stream.abort(failure)
    throw failure
  }
}
