// The inference request: one stream is one session. Its keys and values are kept until the stream ends.
import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { withResource } from '../../common/resource.ts'
import type { Handler } from '../../network/network.ts'
import { startDeadline } from '../../network/streams/deadline.ts'
import type { MessageStream } from '../../network/streams/message-stream.ts'
import type { Message } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { sessionIdleMs } from '../limits.ts'
import { observe, type RequestLog } from '../observe/request-log.ts'
import { checkOpen } from '../requests/sessions.ts'
import { ServedSession, type SessionContext } from '../sessions/served-session.ts'

type InferenceContext = RequestLog &
  SessionContext &
  Pick<ServerContext, 'enter' | 'evicted' | 'onDraining'> & {
    readonly adapters: Pick<ServerContext['adapters'], 'find' | 'hold'>
  } & {
    readonly registry: Pick<ServerContext['registry'], 'add'>
    readonly kvCache: Pick<ServerContext['kvCache'], 'bytesFree'>
  }

export function inferenceHandler(context: InferenceContext): Handler {
  return async (stream, { peerId, signal }) => {
    let first = await stream.receive({ signal })
    if (first === null) return
    const leave = context.enter('session')
    const ending = new AbortController()
    const alive = AbortSignal.any([signal, ending.signal, context.evicted])
    let session: ServedSession | undefined
    let forget = (): void => {}
    let started: Promise<void> = Promise.resolve()
    try {
      await observe(context, { kind: 'inferenceOpen', peerId, received: first.tensors }, async () => {
        const request = checkOpen(first!, context, context.adapters)
        // the session keeps what it needs of it
        first = null
        session = new ServedSession(context, { request, peerId, stream, signal: alive })
        started = session.start()
        void settled(started) // it is waited for below
        if (request.session.length > 0) forget = context.registry.add(request.session, session)
        await ready(context, stream, { portsHash: session.keptAdapter, signal })
      })
      context.onDraining(error => void settled(session!.notify(error)), alive)
      await started
      await Promise.race([serve(context, stream, { session: session!, peerId, signal: alive }), session!.failed])
    } finally {
      ending.abort(new SwarmError('ABORTED', 'the session has ended'))
      forget()
      session?.release()
      leave()
      context.logger.debug({ peer: peerId }, 'session ended')
    }
  }
}

async function ready(
  { kvCache }: Pick<InferenceContext, 'kvCache'>,
  stream: MessageStream,
  { portsHash, signal }: { portsHash: Uint8Array; signal: AbortSignal }
): Promise<void> {
  const body = { kind: 'inferenceReady', cacheBytes: kvCache.bytesFree, portsHash } as const
  await stream.send({ body, tensors: {} }, { signal })
}

interface Served {
  readonly session: ServedSession
  readonly peerId: string
  readonly signal: AbortSignal
}

/** Until the caller ends its side. */
async function serve(
  context: RequestLog & Pick<InferenceContext, 'kvCache'>,
  stream: MessageStream,
  served: Served
): Promise<void> {
  const { session, peerId, signal } = served
  for (;;) {
    const message = await receiveNext(stream, signal)
    if (message === null) return
    await observe(context, { kind: message.body.kind, peerId, received: message.tensors }, async () => {
      if (message.body.kind === 'inferenceStep') {
        if (session.previous !== '') {
          throw new SwarmError(
            'INVALID_ARGUMENT',
            'a step from the caller: the session takes steps from its upstream server'
          )
        }
        await session.accept(message as Message<'inferenceStep'>, signal)
      } else if (message.body.kind === 'inferenceRoute') {
        await session.route(message.body)
        await ready(context, stream, { portsHash: session.keptAdapter, signal })
      } else {
        throw new SwarmError('BAD_FRAME', `expected inferenceStep, found ${message.body.kind}`)
      }
    })
  }
}

/** The next message; null at the end of the session. A session that is silent for too long is closed. */
async function receiveNext(stream: MessageStream, signal: AbortSignal): Promise<Message | null> {
  return await withResource(startDeadline(sessionIdleMs, 'the next step of this session', signal), deadline =>
    stream.receive({ signal: deadline.signal })
  )
}
