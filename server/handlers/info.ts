// The info request: reports the state of this server. Answered also while it drains.
import type { Handler } from '../../network/network.ts'
import type { ServerContext } from '../context.ts'
import { type UnaryContext, unary } from './unary.ts'

interface InfoContext extends UnaryContext, Pick<ServerContext, 'announcement' | 'sessions'> {
  readonly kvCache: Pick<ServerContext['kvCache'], 'bytesUsed' | 'maxBytes'>
  readonly residuals: Pick<ServerContext['residuals'], 'bytes' | 'maxBytes'>
  readonly scheduler: Pick<ServerContext['scheduler'], 'length'>
}

export function infoHandler(context: InfoContext): Handler {
  return unary(context, { kind: 'infoRequest', always: true }, async () => {
    const { kvCache, residuals, scheduler } = context
    return {
      message: {
        body: {
          kind: 'infoResponse',
          announcement: context.announcement(),
          sessions: context.sessions,
          cacheBytesUsed: kvCache.bytesUsed,
          cacheBytesTotal: kvCache.maxBytes,
          residualBytesUsed: residuals.bytes,
          residualBytesTotal: residuals.maxBytes,
          queueLength: scheduler.length
        },
        tensors: {}
      }
    }
  })
}
