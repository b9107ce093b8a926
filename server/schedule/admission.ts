// Admission of requests and sessions: a leaving server closes it, and leaves when the last one has ended. Knows no
// request.
import { onAbort } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

const leaving = () => new SwarmError('DRAINING', 'this server is leaving: use another one (see the directory)')

export type Visit = 'request' | 'session'

export class Admission {
  readonly #inside: Record<Visit, number> = { request: 0, session: 0 }
  #idle = Promise.withResolvers<void>()
  #evicting = new AbortController()
  readonly #listeners = new Set<(reason: SwarmError) => void>()
  #door: 'opening' | 'open' | 'closed' = 'opening'

  /** how many are in */
  get inside(): Readonly<Record<Visit, number>> {
    return this.#inside
  }

  /** Aborts when running requests and sessions must end at once; later ones are not affected. */
  get evicted(): AbortSignal {
    return this.#evicting.signal
  }

  open(): void {
    if (this.#door === 'opening') this.#door = 'open'
  }

  /** Lets in again after a `close`. */
  reopen(): void {
    if (this.#door !== 'closed') return
    this.#door = 'open'
    this.#idle = Promise.withResolvers()
  }

  /** Ends all running requests and sessions at once; `close` resolves when they have ended. */
  evict(): void {
    this.#evicting.abort(leaving())
    this.#evicting = new AbortController()
  }

  /** Closes admission. Resolves when all admitted requests and sessions have ended. */
  async close(): Promise<void> {
    this.#door = 'closed'
    for (const listener of this.#listeners) listener(leaving())
    this.#checkIdle()
    await this.#idle.promise
  }

  /** Calls back when admission closes, at once if it already has, until the signal aborts. */
  onClosed(listener: (reason: SwarmError) => void, signal: AbortSignal): void {
    if (this.#door === 'closed') {
      listener(leaving())
      return
    }
    this.#listeners.add(listener)
    onAbort(signal, () => this.#listeners.delete(listener))
  }

  /**
   * Admits one request or session until the returned function is called. @throws SwarmError BUSY before admission
   * opens, DRAINING after it closes
   */
  enter(visit: Visit): () => void {
    if (this.#door === 'opening')
      throw new SwarmError('BUSY', 'this server is still loading: try again in a second', { retryAfterMs: 1 * second })
    if (this.#door === 'closed') throw leaving()
    this.#inside[visit] += 1
    let entered = true
    return () => {
      if (!entered) return
      entered = false
      this.#inside[visit] -= 1
      this.#checkIdle()
    }
  }

  #checkIdle(): void {
    if (this.#door === 'closed' && this.#inside.request + this.#inside.session === 0) this.#idle.resolve()
  }
}
