// One request, one answer: reads, bounds in time, measures, sends.
import { SwarmError } from '../../common/errors.ts'
import type { Handler } from '../../network/network.ts'
import type { Codec } from '../../proto/codec.ts'
import type { BodyKind, Message } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { timeoutOf } from '../requests.ts'

export interface UnaryRequest<K extends BodyKind> {
  readonly message: Message<K>
  readonly peerId: string
  /** aborts when the caller gives up, vanishes, or its time is over */
  readonly signal: AbortSignal
}

export interface UnaryAnswer {
  readonly message: Message
  readonly codec?: Codec
}

export function unary<K extends BodyKind>(
  context: ServerContext,
  kind: K,
  answer: (request: UnaryRequest<K>) => Promise<UnaryAnswer>
): Handler {
  return async (stream, { peerId, signal: gone }) => {
    const message = await stream.receive({ signal: gone })
    if (message === null) return
    if (message.body.kind !== kind) throw new SwarmError('BAD_FRAME', `expected ${kind}, found ${message.body.kind}`)
    const leave = context.enter('request')
    const done = context.metrics.begin(kind)
    try {
      const span = 'span' in message.body ? message.body.span : null
      const signal = AbortSignal.any([gone, AbortSignal.timeout(timeoutOf(span?.timeoutMs ?? 0))])
      const { message: reply, codec } = await answer({ message: message as Message<K>, peerId, signal })
      await stream.send(reply, { signal, codec })
      done('ok')
    } catch (error) {
      done(error instanceof SwarmError ? error.code : 'INTERNAL')
      throw error
    } finally {
      leave()
    }
  }
}
