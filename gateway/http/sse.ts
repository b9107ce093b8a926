// Answers that come piece by piece: server-sent events, or lines of JSON, over hono's streams. Knows no dialect.
import type { Context } from 'hono'
import { type SSEMessage, stream as streamBytes, streamSSE } from 'hono/streaming'
import type { StreamingApi } from 'hono/utils/stream'
import { settled, within } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { minute, second } from '../../common/units.ts'
import { type ApiError, toApiError } from '../errors.ts'
import { currentMeter } from '../models/meter.ts'
import type { RequestScope } from './scope.ts'

/** Proxies cut connections that are silent for 30 to 60 seconds. */
const heartbeatMs = 10 * second

/** An error that comes within this time is still an HTTP error, with its status. */
const patienceMs = 2 * second

/** Gives up a reader that takes nothing for this long: its generation holds memory of servers. */
const stalledMs = 2 * minute

export interface PieceStreamInit<Piece> {
  /** messages that come before anything is computed; an error after them may still become an HTTP error. Default 1 */
  readonly head?: number
  /** how the dialect tells an error when the answer has begun */
  readonly onError: (error: ApiError) => Piece
  /** ends the generation; called when the client has gone */
  readonly abort: () => void
  readonly heartbeatMs?: number
  readonly patienceMs?: number
}

export type EventStreamInit = PieceStreamInit<SSEMessage>

/** A piece that has been asked for. */
interface Pending<Piece> {
  readonly next: Promise<IteratorResult<Piece>>
  isThere: boolean
}

function read<Piece>(messages: AsyncGenerator<Piece>): Pending<Piece> {
  const pending: Pending<Piece> = { next: messages.next(), isThere: false }
  // a failure is thrown where `next` is awaited
  void settled(pending.next).then(() => {
    pending.isThere = true
  })
  return pending
}

/** Waits until the reader has taken what was written before; gives the stream up where it takes nothing. */
async function writePatiently(stream: StreamingApi, written: Promise<unknown>): Promise<void> {
  const timer = setTimeout(() => stream.abort(), stalledMs)
  try {
    await written
  } finally {
    clearTimeout(timer)
  }
}

/** How pieces become bytes. */
interface Form<Piece, Stream extends StreamingApi> {
  open(c: Context, run: (stream: Stream) => Promise<void>): Response
  write(stream: Stream, piece: Piece): Promise<unknown>
  /** means nothing to clients; default: none is sent */
  readonly heartbeat?: string
}

async function streamPieces<Piece, Stream extends StreamingApi>(
  c: Context,
  pieces: AsyncGenerator<Piece>,
  init: PieceStreamInit<Piece>,
  form: Form<Piece, Stream>
): Promise<Response> {
  const { head = 1, onError, abort } = init
  const first: Piece[] = []
  let pending = read(pieces)
  for (let count = 0; count < head; count++) {
    const { done, value } = await pending.next
    if (done) break
    first.push(value)
    pending = read(pieces)
  }
  await within(init.patienceMs ?? patienceMs, pending.next)
  c.header('X-Accel-Buffering', 'no') // nginx hands pieces on at once
  return form.open(c, async stream => {
    const write = (piece: Piece) => writePatiently(stream, form.write(stream, piece))
    stream.onAbort(abort)
    try {
      for (const piece of first) await write(piece)
      for (;;) {
        await within(init.heartbeatMs ?? heartbeatMs, pending.next)
        if (stream.aborted) break
        if (!pending.isThere) {
          if (form.heartbeat !== undefined) await writePatiently(stream, stream.write(form.heartbeat))
          continue
        }
        const { done, value } = await pending.next
        if (done) break
        await write(value)
        if (stream.aborted) break
        pending = read(pieces)
      }
    } catch (error) {
      const told = toApiError(error)
      currentMeter()?.failed(told.code ?? told.type)
      if (!stream.aborted) await write(onError(told))
    } finally {
      abort()
      await settled(pieces.return(undefined))
    }
  })
}

/**
 * Streams the messages as server-sent events, with comments as heartbeats while none comes, and waits for slow readers. A client that goes,
 * or takes nothing for two minutes, ends the generation. Rejects with the error of a message among the first ones, so that the answer has
 * its status.
 */
export function streamEvents(
  c: Context,
  messages: AsyncGenerator<SSEMessage>,
  init: EventStreamInit
): Promise<Response> {
  return streamPieces(c, messages, init, {
    open: streamSSE,
    write: (stream, message) => stream.writeSSE(message),
    heartbeat: ': the answer is being computed\n\n'
  })
}

/** The same as one JSON object a line (`application/x-ndjson`), which has no heartbeats. */
export function streamLines(
  c: Context,
  lines: AsyncGenerator<object>,
  init: PieceStreamInit<object>
): Promise<Response> {
  c.header('Content-Type', 'application/x-ndjson')
  return streamPieces(c, lines, init, {
    open: streamBytes,
    write: (stream, line) => stream.writeln(JSON.stringify(line))
  })
}

/** A signal that ends with the request's own, or when `abort` is called. */
export function requestAbort(c: Context): { readonly signal: AbortSignal; readonly abort: () => void } {
  const scope: RequestScope | undefined = c.get('scope')
  // a signal that follows others stays in memory for as long as it has listeners
  const controller = scope?.abort ?? new AbortController()
  const signal = scope === undefined ? AbortSignal.any([c.req.raw.signal, controller.signal]) : controller.signal
  return { signal, abort: () => controller.abort(new SwarmError('ABORTED', 'the answer has ended')) }
}
