// backward: from kept activations, or from the span's input by computing its forward again. The same numbers either way.
import type { Handler } from '../../network/network.ts'
import type { BodyOf, Message, NamedTensors } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { checkCall, checkGradient, checkSpan, tokensOf } from '../requests.ts'
import { unary } from './unary.ts'

export function backwardHandler(context: ServerContext): Handler {
  return unary(context, { kind: 'backwardRequest' }, async ({ message, peerId, signal }) => {
    const { scheduler, metrics } = context
    const compute = plan(context, message, peerId)
    // it was checked
    const tokens = tokensOf(message.tensors['grad.hidden']!)
    const gradients = await scheduler.run({ priority: 'training', peerId, tokens, signal }, compute)
    metrics.tokens('backward', tokens)
    const { codec } = message.body.span!
    // gradients of ports are sums over all tokens: they travel as they are
    return {
      message: { body: { kind: 'backwardResponse' }, tensors: gradients },
      codec: { 'grad.hidden': codec }
    }
  })
}

/** Checks the request; what comes back computes it. Kept activations are used up only when that runs. */
function plan(
  context: ServerContext,
  { body, tensors }: Message & { readonly body: BodyOf<'backwardRequest'> },
  peerId: string
): () => Promise<NamedTensors> {
  const { executor, residuals } = context
  const blocks = checkSpan(body.span, context)
  if (body.residualId === '') {
    const call = checkCall(tensors, body.dropout, context, { blocks, training: true })
    const grad = checkGradient(tensors, context, blocks, call.hidden.shape)
    return () => executor.recompute(call, grad)
  }
  const grad = checkGradient(tensors, context, blocks, residuals.peek(peerId, body.residualId).shape)
  // async, so that an eviction while it waited is this request's failure
  return async () => executor.backward(residuals.take(peerId, body.residualId), grad)
}
