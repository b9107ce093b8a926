// forward: hidden states through a span, activations kept where a backward was announced.
import type { Handler } from '../../network/network.ts'
import type { ServerContext } from '../context.ts'
import { checkCall, checkSpan, tokensOf } from '../requests.ts'
import { unary } from './unary.ts'

export function forwardHandler(context: ServerContext): Handler {
  return unary(context, { kind: 'forwardRequest' }, async ({ message: { body, tensors }, peerId, signal }) => {
    const blocks = checkSpan(body.span, context)
    const call = checkCall(tensors, body.dropout, context, { blocks, training: body.keepResiduals })
    const { executor, scheduler, residuals, metrics } = context
    const tokens = tokensOf(call.hidden)
    const { hidden, residualId } = await scheduler.run({ priority: 'training', peerId, tokens, signal }, async () => {
      if (!body.keepResiduals) return { hidden: await executor.forward(call), residualId: '' }
      const result = await executor.forwardKeeping(call)
      const { bytes } = result.residuals
      return { hidden: result.hidden, residualId: residuals.keep(peerId, result.residuals, bytes) }
    })
    metrics.tokens('forward', tokens)
    return {
      message: { body: { kind: 'forwardResponse', residualId }, tensors: { hidden } },
      codec: { hidden: body.span!.codec },
      discard: () => residuals.drop(residualId)
    }
  })
}
