// The sessions that accept steps from upstream servers, by their id. Knows nothing about their content.
import { onAbort } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** The upstream server may learn of a session earlier than this one. */
const arrivalMs = 10 * second
/** By this time the end of an abandoned session has arrived. */
const retryAfterMs = 100

export class SessionRegistry<Session extends object> {
  readonly #sessions = new Map<string, Session>()
  readonly #waiting = new Map<string, Set<(session: Session) => void>>()

  /**
   * Registers a session until the returned function is called. Throws INVALID_ARGUMENT if another session has the id.
   */
  add(id: Uint8Array, session: Session): () => void {
    const key = keyOf(id)
    if (this.#sessions.has(key)) {
      // it may be the caller's previous session that has not ended yet, when a chain is rebuilt
      const again = { retryable: true, retryAfterMs }
      throw new SwarmError('INVALID_ARGUMENT', 'another session already uses this session id', again)
    }
    this.#sessions.set(key, session)
    for (const tell of this.#waiting.get(key) ?? []) tell(session)
    return () => this.#sessions.delete(key)
  }

  /** The session with this id, which may open a little later. Throws NOT_FOUND, and the signal's reason. */
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
        () => end(() => reject(new SwarmError('NOT_FOUND', 'no session with this id is open here'))),
        arrivalMs
      )
      waiting.add(tell)
      const stop = onAbort(signal, () => end(() => reject(signal.reason)))
    })
  }
}

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('hex')
