// The backward request: uses residuals, or recomputes the forward pass from the span's input. The numbers are the same.
import type { Handler } from '../../network/network.ts'
import type { BodyOf, Message, NamedTensors } from '../../proto/messages.ts'
import { backward, recomputeRuns } from '../compute/span-runs.ts'
import type { ServerContext } from '../context.ts'
import { checkCall, checkGradient, checkSpan, type Hosted, tokensOf, workTokens } from '../requests/passes.ts'
import type { Runs } from '../schedule/scheduler.ts'
import { type UnaryContext, unary } from './unary.ts'

type BackwardContext = UnaryContext &
  Hosted &
  Pick<ServerContext, 'executor' | 'runsOf'> & {
    readonly scheduler: Pick<ServerContext['scheduler'], 'run'>
    readonly residuals: Pick<ServerContext['residuals'], 'peek' | 'take'>
    readonly metrics: Pick<ServerContext['metrics'], 'tokens'>
  }

export function backwardHandler(context: BackwardContext): Handler {
  return unary(context, { kind: 'backwardRequest' }, async ({ message, peerId, signal }) => {
    const { scheduler, metrics } = context
    const { runs, compute } = plan(context, message, peerId)
    // it was checked
    const tokens = tokensOf(message.tensors['grad.hidden']!)
    const job = { priority: 'training', peerId, tokens: tokens / runs, signal } as const
    const gradients = await scheduler.run(job, compute)
    metrics.tokens('backward', tokens, peerId)
    const { codec } = message.body.span!
    // gradients of ports are sums over all tokens: they travel as they are
    return {
      message: { body: { kind: 'backwardResponse' }, tensors: gradients },
      codec: { 'grad.hidden': codec, 'grad.encoder_hidden': codec }
    }
  })
}

interface Plan {
  /** of the device */
  readonly runs: number
  /** Kept activations are used up only when this runs. */
  compute(): Runs<NamedTensors>
}

/** Checks the request and returns a function that computes it. */
function plan(
  context: Pick<BackwardContext, keyof Hosted | 'executor' | 'residuals' | 'runsOf'>,
  { body, tensors }: Message & { readonly body: BodyOf<'backwardRequest'> },
  peerId: string
): Plan {
  const { executor, residuals } = context
  const blocks = checkSpan(body.span, context)
  if (body.residualId === '') {
    const call = checkCall(tensors, body.dropout, context, { blocks, training: true })
    const grad = checkGradient(tensors, context, blocks, call.hidden.shape)
    const runs = context.runsOf(blocks, workTokens(call))
    const count = runs.length === 1 ? 1 : 2 * runs.length
    return { runs: count, compute: () => recomputeRuns(executor, call, grad, runs) }
  }
  const { shape, runs } = residuals.peek(peerId, body.residualId)
  const grad = checkGradient(tensors, context, blocks, shape)
  // taken when it runs, so that an eviction during the wait fails this request
  return { runs: runs.length, compute: () => backward(executor, residuals.take(peerId, body.residualId), grad) }
}
