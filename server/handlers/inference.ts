// inference: one stream is one session; its keys and values live here until the stream ends, however it ends.
import { SwarmError } from '../../common/errors.ts'
import type { Tensor } from '../../common/tensor.ts'
import type { MessageStream } from '../../network/message-stream.ts'
import type { Handler } from '../../network/network.ts'
import type { BodyOf, Message, NamedTensors } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import type { SessionCache } from '../kv-cache.ts'
import { maxBatch, sessionIdleMs } from '../limits.ts'
import { checkHidden, checkPorts, checkSpan, timeoutOf } from '../requests.ts'

export function inferenceHandler(context: ServerContext): Handler {
  return async (stream, { peerId, signal }) => {
    const first = await stream.receive({ signal })
    if (first === null) return
    if (first.body.kind !== 'inferenceOpen')
      throw new SwarmError('BAD_FRAME', `expected inferenceOpen, found ${first.body.kind}`)
    const { body } = first
    const blocks = checkSpan(body.span, context)
    checkSize(body, context)
    const ports = checkPorts(first.tensors, [], context, blocks)
    const leave = context.enter('session')
    const { numKeyValueHeads: kvHeads, headDim } = context.checkpoint.config
    const shape = { blocks, batch: body.batch, maxLength: body.maxLength, kvHeads, headDim }
    try {
      const reservation = context.kvCache.reserve(shape)
      try {
        const ready = { kind: 'inferenceReady', cacheBytes: reservation.bytes } as const
        await stream.send({ body: ready, tensors: {} }, { signal })
        await serveSteps(context, stream, { peerId, signal, open: body, ports, cache: reservation.cache })
      } finally {
        reservation.release()
      }
    } finally {
      leave()
    }
  }
}

interface OpenSession {
  readonly peerId: string
  readonly signal: AbortSignal
  readonly open: BodyOf<'inferenceOpen'>
  readonly ports: Record<string, Tensor<'float32'>>
  readonly cache: SessionCache
}

async function serveSteps(context: ServerContext, stream: MessageStream, session: OpenSession): Promise<void> {
  const { peerId, signal, open, ports, cache } = session
  for (;;) {
    const message = await receiveStep(stream, signal)
    if (message === null) return
    const hidden = checkHidden(message.tensors, 'hidden', context, cache.shape.blocks)
    const lengths = checkLengths(message.tensors, hidden.shape, cache)
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutOf(message.body.timeoutMs))])
    const done = context.metrics.begin('inferenceStep')
    try {
      const result = await context.scheduler.run({ priority: 'decode', peerId, signal: deadline }, () =>
        context.executor.step(cache, ports, hidden, lengths)
      )
      context.metrics.tokens(
        'inference',
        lengths.reduce((sum, length) => sum + length, 0)
      )
      await stream.send(
        { body: { kind: 'inferenceResult' }, tensors: { hidden: result } },
        { signal: deadline, codec: open.span!.codec }
      )
      done('ok')
    } catch (error) {
      done(error instanceof SwarmError ? error.code : 'INTERNAL')
      throw error
    }
  }
}

/** The next step; null at the end of the session. A session that is silent for too long is closed. */
async function receiveStep(stream: MessageStream, signal: AbortSignal): Promise<Message<'inferenceStep'> | null> {
  const message = await stream.receive({ signal: AbortSignal.any([signal, AbortSignal.timeout(sessionIdleMs)]) })
  if (message === null) return null
  if (message.body.kind !== 'inferenceStep') {
    throw new SwarmError('BAD_FRAME', `expected inferenceStep, found ${message.body.kind}`)
  }
  return message as Message<'inferenceStep'>
}

function checkSize({ batch, maxLength }: BodyOf<'inferenceOpen'>, { checkpoint }: ServerContext): void {
  const { maxPositions } = checkpoint.config
  if (batch < 1 || batch > maxBatch)
    throw new SwarmError('INVALID_ARGUMENT', `batch: expected 1 to ${maxBatch} rows, found ${batch}`)
  if (maxLength < 1 || maxLength > maxPositions) {
    throw new SwarmError('INVALID_ARGUMENT', `max_length: the model has ${maxPositions} positions, found ${maxLength}`)
  }
}

/** How many of the new positions of each row are tokens. */
function checkLengths(tensors: NamedTensors, shape: readonly number[], cache: SessionCache): number[] {
  const [batch, seq] = shape as [number, number]
  const { batch: rows, maxLength } = cache.shape
  if (batch !== rows) throw new SwarmError('INVALID_ARGUMENT', `hidden: the session has ${rows} rows, found ${batch}`)
  const given = tensors.lengths
  if (given !== undefined && (given.dtype !== 'int64' || given.shape.join() !== `${rows}`)) {
    throw new SwarmError('INVALID_ARGUMENT', `lengths: expected int64 [${rows}], found ${given.dtype}[${given.shape}]`)
  }
  const lengths = given === undefined ? new Array<number>(rows).fill(seq) : Array.from(given.data, Number)
  for (const [row, length] of lengths.entries()) {
    const past = cache.lengths[row]!
    if (length < 0 || length > seq || (past === 0 && length === 0)) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `lengths: row ${row}: expected ${past === 0 ? 1 : 0} to ${seq}, found ${length}`
      )
    }
    if (past + length > maxLength) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `row ${row}: the session was opened for ${maxLength} positions, this step would make ${past + length}`
      )
    }
  }
  return lengths
}
