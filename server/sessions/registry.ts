// The sessions that servers before this one may bring steps to, by the bytes that name them. Knows nothing of what they do.
import { onAbort } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** A server before this one may be told of a session sooner than we are. */
const arrivalMs = 10 * second
/** The end of a session that was given up has come by then. */
const retryAfterMs = 100

export class SessionRegistry<Session extends object> {
  readonly #sessions = new Map<string, Session>()
  readonly #waiting = new Map<string, Set<(session: Session) => void>>()

  /** Until the function that comes back is called. Throws INVALID_ARGUMENT where another session has the name. */
  add(id: Uint8Array, session: Session): () => void {
    const key = keyOf(id)
    if (this.#sessions.has(key)) {
      // it may be the caller's own, whose end is still on the way: a chain that is built anew
      const again = { retryable: true, retryAfterMs }
      throw new SwarmError('INVALID_ARGUMENT', 'another session has these bytes already', again)
    }
    this.#sessions.set(key, session)
    for (const tell of this.#waiting.get(key) ?? []) tell(session)
    return () => this.#sessions.delete(key)
  }

  /** The session of this name, which may come a little later. Throws NOT_FOUND, and what the signal says. */
  find(id: Uint8Array, signal: AbortSignal): Promise<Session> {
    const key = keyOf(id)
    const known = this.#sessions.get(key)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(key) ?? new Set()
      this.#waiting.set(key, waiting)
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        stop()
        waiting.delete(tell)
        if (waiting.size === 0) this.#waiting.delete(key)
        settle()
      }
      const tell = (session: Session): void => end(() => resolve(session))
      const timer = setTimeout(
        () => end(() => reject(new SwarmError('NOT_FOUND', 'no such session is open here'))),
        arrivalMs
      )
      waiting.add(tell)
      const stop = onAbort(signal, () => end(() => reject(signal.reason)))
    })
  }
}

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('hex')
