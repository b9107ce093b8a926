// The forward request: computes hidden states through a span, and keeps residuals if the client asks for them.
import { stackOf } from '../../model/config/config.ts'
import type { Handler } from '../../network/network.ts'
import { forward, forwardKeeping } from '../compute/span-runs.ts'
import type { ServerContext } from '../context.ts'
import { checkCall, checkSpan, type Hosted, tokensOf, workTokens } from '../requests/passes.ts'
import { type UnaryContext, unary } from './unary.ts'

type ForwardContext = UnaryContext &
  Hosted &
  Pick<ServerContext, 'encoderForward' | 'executor' | 'runsOf'> & {
    readonly scheduler: Pick<ServerContext['scheduler'], 'run'>
    readonly residuals: Pick<ServerContext['residuals'], 'keep' | 'drop'>
    readonly metrics: Pick<ServerContext['metrics'], 'tokens'>
  }

export function forwardHandler(context: ForwardContext): Handler {
  return unary(context, { kind: 'forwardRequest' }, async ({ message: { body, tensors }, peerId, signal }) => {
    const blocks = checkSpan(body.span, context)
    const call = checkCall(tensors, body.dropout, context, { blocks, training: body.keepResiduals })
    const { executor, scheduler, residuals, metrics } = context
    const tokens = tokensOf(call.hidden)
    const runs = context.runsOf(blocks, workTokens(call))
    const job = { priority: 'training', peerId, tokens: tokens / runs.length, signal } as const
    const isEncoder = stackOf(context.checkpoint.config, blocks.first).name === 'encoder'
    const compute = async () => {
      if (body.keepResiduals) return await scheduler.run(job, () => forwardKeeping(executor, call, runs))
      const hidden =
        isEncoder && call.dropout === undefined
          ? await context.encoderForward.forward({ executor, call, runs, job })
          : await scheduler.run(job, () => forward(executor, call, runs))
      return { hidden, kept: null }
    }
    const { hidden, kept } = await compute()
    const residualId = kept === null ? '' : residuals.keep(peerId, kept, kept.bytes)
    metrics.tokens('forward', tokens, peerId)
    return {
      message: { body: { kind: 'forwardResponse', residualId }, tensors: { hidden } },
      codec: { hidden: body.span!.codec },
      discard: () => residuals.drop(residualId)
    }
  })
}
