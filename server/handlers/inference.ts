// inference: one stream is one session; its keys and values live here until the stream ends, however it ends.

import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import { startDeadline } from '../../network/deadline.ts'
import type { MessageStream } from '../../network/message-stream.ts'
import type { Handler } from '../../network/network.ts'
import type { Codec } from '../../proto/codec.ts'
import type { Message } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { type DecodeSession, openSession } from '../decoder.ts'
import type { SessionCache } from '../kv/kv-cache.ts'
import { sessionIdleMs } from '../limits.ts'
import { bytesOfAll, observe } from '../observation.ts'
import { timeoutOf } from '../requests.ts'
import { checkOpen, checkStep } from '../session-requests.ts'

export function inferenceHandler(context: ServerContext): Handler {
  return async (stream, { peerId, signal }) => {
    const first = await stream.receive({ signal })
    if (first === null) return
    const leave = context.enter('session')
    let cache: SessionCache | undefined
    try {
      const { session, codec } = await observe(
        context,
        { kind: 'inferenceOpen', peerId, received: first.tensors },
        async () => {
          const { shape, ports, codec } = checkOpen(first, context)
          cache = context.kvCache.open(shape, bytesOfAll(ports))
          const session = openSession(cache, ports)
          const { kvCache } = context
          const body = { kind: 'inferenceReady', cacheBytes: kvCache.bytesFree } as const
          await stream.send({ body, tensors: {} }, { signal })
          return { session, codec }
        }
      )
      await serveSteps(context, stream, { peerId, signal, codec, session })
    } finally {
      cache?.release()
      leave()
      context.logger.debug({ peer: peerId }, 'session ended')
    }
  }
}

interface OpenSession {
  readonly peerId: string
  readonly signal: AbortSignal
  readonly codec: Codec
  readonly session: DecodeSession
}

async function serveSteps(context: ServerContext, stream: MessageStream, open: OpenSession): Promise<void> {
  const { peerId, signal, session, codec } = open
  for (;;) {
    const message = await receiveStep(stream, signal)
    if (message === null) return
    await observe(context, { kind: 'inferenceStep', peerId, received: message.tensors }, async sent => {
      const { hidden, lengths } = checkStep(message.tensors, context, session.cache)
      await withResource(startDeadline(timeoutOf(message.body.timeoutMs), 'inferenceStep', signal), async deadline => {
        const result = await context.engine.step({ session, hidden, lengths }, { peerId, signal: deadline.signal })
        const tokens = lengths.reduce((sum, length) => sum + length, 0)
        context.metrics.tokens('inference', tokens)
        const answer = { body: { kind: 'inferenceResult' }, tensors: { hidden: result } } as const
        await stream.send(answer, { signal: deadline.signal, codec })
        sent(answer.tensors)
      })
    })
  }
}

/** The next step; null at the end of the session. A session that is silent for too long is closed. */
async function receiveStep(stream: MessageStream, signal: AbortSignal): Promise<Message<'inferenceStep'> | null> {
  return await withResource(startDeadline(sessionIdleMs, 'the next step of this session', signal), async deadline => {
    const message = await stream.receive({ signal: deadline.signal })
    if (message === null) return null
    if (message.body.kind !== 'inferenceStep') {
      throw new SwarmError('BAD_FRAME', `expected inferenceStep, found ${message.body.kind}`)
    }
    return message as Message<'inferenceStep'>
  })
}
