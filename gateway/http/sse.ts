// Answers that come piece by piece: server-sent events over hono's stream. Knows no dialect.
import type { Context } from 'hono'
import { type SSEMessage, streamSSE } from 'hono/streaming'
import { settled, within } from '../../common/async.ts'
import { type ApiError, toApiError } from '../errors.ts'

const second = 1000

/** Proxies cut connections that are silent for 30 to 60 seconds. */
const heartbeatMs = 10 * second

/** An error that comes within this time is still an HTTP error, with its status. */
const patienceMs = 2 * second

export interface EventStreamInit {
  /** messages that come before anything is computed; an error after them may still become an HTTP error. Default 1 */
  readonly head?: number
  /** how the dialect tells an error when the answer has begun */
  readonly onError: (error: ApiError) => SSEMessage
  /** ends the generation; called when the client has gone */
  readonly abort: () => void
  readonly heartbeatMs?: number
  readonly patienceMs?: number
}

/** A message that has been asked for. */
interface Pending {
  readonly next: Promise<IteratorResult<SSEMessage>>
  isThere: boolean
}

function read(messages: AsyncGenerator<SSEMessage>): Pending {
  const pending: Pending = { next: messages.next(), isThere: false }
  // a failure is thrown where `next` is awaited
  void settled(pending.next).then(() => {
    pending.isThere = true
  })
  return pending
}

/**
 * Streams the messages as server-sent events, with comments as heartbeats while none comes, and waits for slow readers. A client that goes
 * ends the generation. Rejects with the error of a message among the first ones, so that the answer has its status.
 */
export async function streamEvents(
  c: Context,
  messages: AsyncGenerator<SSEMessage>,
  init: EventStreamInit
): Promise<Response> {
  const { head = 1, onError, abort } = init
  const first: SSEMessage[] = []
  let pending = read(messages)
  for (let count = 0; count < head; count++) {
    const { done, value } = await pending.next
    if (done) break
    first.push(value)
    pending = read(messages)
  }
  await within(init.patienceMs ?? patienceMs, pending.next)
  return streamSSE(c, async stream => {
    stream.onAbort(abort)
    try {
      for (const message of first) await stream.writeSSE(message)
      for (;;) {
        await within(init.heartbeatMs ?? heartbeatMs, pending.next)
        if (stream.aborted) break
        if (!pending.isThere) {
          await stream.write(': the answer is being computed\n\n')
          continue
        }
        const { done, value } = await pending.next
        if (done) break
        await stream.writeSSE(value)
        pending = read(messages)
      }
    } catch (error) {
      if (!stream.aborted) await stream.writeSSE(onError(toApiError(error)))
    } finally {
      abort()
      await settled(messages.return(undefined))
    }
  })
}

/** A signal that ends with the request's own, or when `abort` is called. */
export function requestAbort(c: Context): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController()
  return {
    signal: AbortSignal.any([c.req.raw.signal, controller.signal]),
    abort: () => controller.abort()
  }
}
