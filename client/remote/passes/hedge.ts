// Hedged requests: late work is sent to another server as well, and the first right answer counts (Dean and Barroso,
// "The tail at scale", CACM 56(2), 2013). Knows no server.
import { delay, settled } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import { second } from '../../../common/units.ts'

/** A timer that fires later than this was delayed by this process: answers that arrived meanwhile are read first. */
const sliceMs = 0.1 * second
/** A server that sends a byte now and then is not waited for for ever. */
const mostMs = 30 * second

/**
 * Resolves once this process could listen for `ms` milliseconds: time in which it was busy itself does not count against a
 * server. `quietSince` says when the server was last heard of, as of `performance.now()`: the time counts from then. Rejects when the signal aborts.
 */
export async function patience(ms: number, signal: AbortSignal, quietSince?: () => number): Promise<void> {
  let [left, heard] = [ms, quietSince?.() ?? 0]
  const end = performance.now() + Math.max(ms, mostMs)
  while (left > 0 && performance.now() < end) {
    const slice = Math.min(left, sliceMs)
    await delay(slice, signal)
    const now = quietSince?.() ?? 0
    left = now > heard ? ms - Math.min(slice, Math.max(0, performance.now() - now)) : left - slice
    heard = now
  }
}

export interface Hedge<T> {
  readonly patienceMs: number
  readonly signal?: AbortSignal
  first(signal: AbortSignal): Promise<T>
  /** called when the first is late; null: there is no other, the first is waited for */
  second(signal: AbortSignal): Promise<T> | null
}

/**
 * The first result, and whether it is the second request's. Throws the first request's error if both fail. Cancels the
 * other one.
 */
export async function hedge<T>({ patienceMs, signal, first, second }: Hedge<T>): Promise<{ result: T; late: boolean }> {
  const over = new AbortController()
  const within = signal ? AbortSignal.any([over.signal, signal]) : over.signal
  try {
    const own = first(within).then(result => ({ result, late: false }))
    const waited = patience(patienceMs, within).then(() => 'late' as const)
    void settled(waited) // the work ended before
    const early = await Promise.race([own, waited])
    if (early !== 'late') return early
    const started = second(within)
    if (started === null) return await own
    const other = started.then(result => ({ result, late: true }))
    try {
      return await Promise.any([own, other])
    } catch (errors) {
      throw (errors as AggregateError).errors[0]
    }
  } finally {
    over.abort(new SwarmError('ABORTED', 'another server has answered'))
  }
}
