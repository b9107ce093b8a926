// Checks whether an awaited peer is alive: bytes move, or it answers pings. Knows no messages.
import type { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

export interface Silence {
  /** after so long without a byte the peer is pinged, and again after each answer */
  readonly patienceMs: number
  /** time limit of a ping */
  readonly answerMs: number
}

/** Of a session's servers: a ping costs a few milliseconds, a wrong alarm everything that has to be sent again. */
export const sessionSilence: Silence = { patienceMs: 1 * second, answerMs: 2 * second }

/** The peer that is watched. */
export interface Watched {
  /** when bytes last arrived from it, or were sent to it: a time of `performance.now()` */
  activeAt(): number
  /** rejects without an answer, and when the signal aborts */
  ping(signal: AbortSignal): Promise<unknown>
  /** error for a silent peer */
  lost(): SwarmError
}

/**
 * Whether the peer answers a ping within `answerMs`. On a narrow link the answer may queue behind other messages: while
 * bytes move, the peer counts as alive. Never throws.
 */
export async function isThere(
  { activeAt, ping }: Omit<Watched, 'lost'>,
  answerMs: number,
  signal: AbortSignal
): Promise<boolean> {
  const asked = performance.now()
  try {
    await ping(AbortSignal.any([signal, AbortSignal.timeout(answerMs)]))
    return true
  } catch {
    return activeAt() > asked
  }
}

/** Runs work that waits for a peer. If the peer is silent, aborts `work`'s signal and throws the error of `lost`. */
export async function unlessSilent<T>(
  watched: Watched,
  { patienceMs, answerMs }: Silence,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal
): Promise<T> {
  const silent = new AbortController()
  let isDone = false
  /** Work that ends before a ping aborts nothing, because an abort creates an error with a stack. */
  let endPing = (): void => {}
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const quietMs = performance.now() - watched.activeAt()
    if (quietMs < patienceMs) {
      timer = setTimeout(look, patienceMs - quietMs)
      return
    }
    const asking = new AbortController()
    endPing = () => asking.abort()
    const answers = await isThere(watched, answerMs, asking.signal)
    if (isDone) return
    if (answers) timer = setTimeout(look, patienceMs)
    else silent.abort(watched.lost())
  }
  timer = setTimeout(look, patienceMs)
  try {
    return await work(signal ? AbortSignal.any([signal, silent.signal]) : silent.signal)
  } catch (error) {
    throw silent.signal.aborted && !signal?.aborted ? silent.signal.reason : error
  } finally {
    clearTimeout(timer)
    isDone = true
    endPing()
  }
}
