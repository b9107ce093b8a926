// The push request: the upstream server of a chain sends the inputs of a session's steps.
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Handler } from '../../network/network.ts'
import type { Message } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { observe, type RequestLog } from '../observe/request-log.ts'

interface PushContext extends RequestLog {
  readonly registry: Pick<ServerContext['registry'], 'find'>
}

export function pushHandler(context: PushContext): Handler {
  return async (stream, { peerId, signal }) => {
    const first = await stream.receive({ signal })
    if (first === null) return
    if (first.body.kind !== 'pushOpen') throw new SwarmError('BAD_FRAME', `expected pushOpen, found ${first.body.kind}`)
    const session = await context.registry.find(first.body.session, signal)
    for (;;) {
      const message = await stream.receive({ signal }).catch(error => {
        // a step that its header refuses is the session's end too
        if (session.previous === peerId && toSwarmError(error).code === 'INVALID_ARGUMENT') session.fail(error)
        throw error
      })
      if (message === null) return
      // only the current upstream server may push steps
      if (session.previous !== peerId) {
        throw new SwarmError('INVALID_ARGUMENT', 'this session takes its steps from another server')
      }
      if (message.body.kind !== 'inferenceStep') {
        throw new SwarmError('BAD_FRAME', `expected inferenceStep, found ${message.body.kind}`)
      }
      try {
        await observe(context, { kind: 'inferenceStep', peerId, received: message.tensors }, () =>
          session.accept(message as Message<'inferenceStep'>, signal)
        )
      } catch (error) {
        // the caller notices a lost upstream server itself; a faulty step ends the session
        if (!signal.aborted) session.fail(error)
        throw error
      }
    }
  }
}
