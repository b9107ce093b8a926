// backward: from kept activations, or from the span's input by computing its forward again. The same numbers either way.
import type { Handler } from '../../network/network.ts'
import type { NamedTensors } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { checkCall, checkGradient, checkSpan } from '../requests.ts'
import { unary } from './unary.ts'

export function backwardHandler(context: ServerContext): Handler {
  return unary(context, 'backwardRequest', async ({ message: { body, tensors }, peerId, signal }) => {
    const blocks = checkSpan(body.span, context)
    const { executor, scheduler, residuals, metrics } = context
    let compute: () => Promise<NamedTensors>
    if (body.residualId !== '') {
      const kept = residuals.take(peerId, body.residualId)
      const grad = checkGradient(tensors, context, blocks, kept.shape)
      compute = () => executor.backward(kept.residuals, grad)
    } else {
      const call = checkCall(tensors, body.dropout, context, blocks)
      const grad = checkGradient(tensors, context, blocks, call.hidden.shape)
      compute = () => executor.recompute(call, grad)
    }
    const gradients = await scheduler.run({ priority: 'training', peerId, signal }, compute)
    const [batch, seq] = gradients['grad.hidden']!.shape as [number, number]
    metrics.tokens('backward', batch * seq)
    return { message: { body: { kind: 'backwardResponse' }, tensors: gradients }, codec: body.span!.codec }
  })
}
