// Who is let in, and how many are in: a server that leaves lets nobody in and goes when the last has left. Knows no request.
import { SwarmError } from '../common/errors.ts'
import { second } from '../common/units.ts'

const leaving = () => new SwarmError('DRAINING', 'this server is leaving: find another (the directory has it)')

export type Visit = 'request' | 'session'

export class Admission {
  readonly #inside: Record<Visit, number> = { request: 0, session: 0 }
  readonly #idle = Promise.withResolvers<void>()
  readonly #listeners = new Set<(reason: SwarmError) => void>()
  #door: 'opening' | 'open' | 'closed' = 'opening'

  /** how many are in */
  get inside(): Readonly<Record<Visit, number>> {
    return this.#inside
  }

  open(): void {
    if (this.#door === 'opening') this.#door = 'open'
  }

  /** Lets nobody in any more. Resolves when all that are in have left. */
  async close(): Promise<void> {
    this.#door = 'closed'
    for (const listener of this.#listeners) listener(leaving())
    this.#checkIdle()
    await this.#idle.promise
  }

  /** Calls back when the door closes, at once where it has, until the signal aborts. */
  onClosed(listener: (reason: SwarmError) => void, signal: AbortSignal): void {
    if (this.#door === 'closed') {
      listener(leaving())
      return
    }
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  /**
   * Counts one as inside until the function that comes back is called, once.
   * @throws SwarmError BUSY before the door is open, DRAINING when it is closed
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
