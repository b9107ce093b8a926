// Serves requests with one answer: reads the request, enforces its deadline, measures, and sends the answer.

import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import type { Handler } from '../../network/network.ts'
import { startDeadline } from '../../network/streams/deadline.ts'
import type { CodecChoice } from '../../proto/frame.ts'
import type { BodyKind, Message } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { observe, type RequestLog } from '../observe/request-log.ts'
import { timeoutOf } from '../requests/passes.ts'

/** What every request with one answer needs of its server. */
export type UnaryContext = RequestLog & Pick<ServerContext, 'enter' | 'evicted'>

export interface UnaryRequest<K extends BodyKind> {
  readonly message: Message<K>
  readonly peerId: string
  /** aborts when the caller cancels, vanishes, or its deadline passes */
  readonly signal: AbortSignal
}

export interface UnaryAnswer {
  readonly message: Message
  /** of the answer's float tensors */
  readonly codec?: CodecChoice
  /** called if the answer could not be sent, so that what it promised can be released */
  readonly discard?: () => void
}

export interface UnaryOptions<K extends BodyKind> {
  readonly kind: K
  /** answered also while the server is leaving, and not waited for */
  readonly always?: boolean
}

export function unary<K extends BodyKind>(
  context: UnaryContext,
  { kind, always = false }: UnaryOptions<K>,
  answer: (request: UnaryRequest<K>) => Promise<UnaryAnswer>
): Handler {
  return async (stream, { peerId, signal: gone }) => {
    const message = await stream.receive({ signal: gone })
    if (message === null) return
    await observe(context, { kind, peerId, received: message.tensors }, async sent => {
      if (message.body.kind !== kind) throw new SwarmError('BAD_FRAME', `expected ${kind}, found ${message.body.kind}`)
      const leave = always ? undefined : context.enter('request')
      const alive = AbortSignal.any([gone, context.evicted])
      try {
        const span = 'span' in message.body ? message.body.span : null
        await withResource(startDeadline(timeoutOf(span?.timeoutMs ?? 0), kind, alive), async deadline => {
          const { signal } = deadline
          const { message: reply, codec, discard } = await answer({ message: message as Message<K>, peerId, signal })
          try {
            await stream.send(reply, { signal, codec })
          } catch (error) {
            discard?.()
            throw error
          }
          sent(reply.tensors)
        })
      } finally {
        leave?.()
      }
    })
  }
}
