// Refuses invalid requests by their header, so that their payload is never read and takes no memory.
import type { HandlerOptions } from '../../network/network.ts'
import type { FrameBody, TensorLayout } from '../../proto/frame.ts'
import { observeRefusal, type RequestLog } from '../observe/request-log.ts'
import { checkCallShapes, checkHiddenShape, checkSpan, type Hosted } from './passes.ts'
import type { NamedShapes } from './ports.ts'
import { checkOpenShapes, checkStepShapes } from './sessions.ts'

export interface HeaderContext extends Hosted, RequestLog {
  /** false while the server moves to other blocks */
  readonly isLoaded: boolean
}

/** What the network asks before it reads a payload. A refusal counts as a request, with its code. */
export function headerCheck(context: HeaderContext): NonNullable<HandlerOptions['admit']> {
  return (body, layout, peerId) => {
    // a moving server refuses every request
    if (!context.isLoaded) return
    try {
      checkHeader(body, shapesOf(layout), context)
    } catch (error) {
      observeRefusal(context, { kind: body.kind, peerId }, error)
      throw error
    }
  }
}

function shapesOf(layout: readonly TensorLayout[]): NamedShapes {
  return Object.fromEntries(layout.map(({ name, dtype, shape }) => [name, { dtype, shape }]))
}

function checkHeader(body: FrameBody, shapes: NamedShapes, context: HeaderContext): void {
  switch (body.kind) {
    case 'forwardRequest':
      checkCallShapes(shapes, context, { blocks: checkSpan(body.span, context), training: body.keepResiduals })
      break
    case 'backwardRequest': {
      const blocks = checkSpan(body.span, context)
      checkHiddenShape(shapes, 'grad.hidden', context, blocks)
      if (body.residualId === '') checkCallShapes(shapes, context, { blocks, training: true })
      break
    }
    case 'inferenceOpen':
      checkOpenShapes(body, shapes, context)
      break
    case 'inferenceStep':
      checkStepShapes(shapes, context, context.range)
      break
    default:
      // other requests have no tensors
      break
  }
}
