// How many bytes of frames peers may have this peer hold at once, each and all together. Knows no streams.
import { SwarmError } from '../common/errors.ts'
import { formatBytes } from '../common/units.ts'
import { busyRetryMs } from './constants.ts'

export interface ByteBudgetInit {
  readonly perPeer: number
  readonly total: number
}

export class ByteBudget {
  readonly #init: ByteBudgetInit
  readonly #held = new Map<string, number>()
  #total = 0

  constructor(init: ByteBudgetInit) {
    this.#init = init
  }

  get total(): number {
    return this.#total
  }

  /**
   * Counts bytes as held until the function that comes back is called. One frame is let in whatever its size, which has limits of
   * its own.
   * @throws SwarmError BUSY
   */
  take(peerId: string, bytes: number): () => void {
    const { perPeer, total } = this.#init
    const held = this.#held.get(peerId) ?? 0
    const isOver = held > 0 && held + bytes > perPeer
    if (isOver || (this.#total > 0 && this.#total + bytes > total)) {
      const [whose, limit] = isOver ? ['this peer has', perPeer] : ['peers have', total]
      throw new SwarmError(
        'BUSY',
        `${formatBytes(bytes)} more: ${whose} ${formatBytes(isOver ? held : this.#total)} under way here, at most ${formatBytes(limit)} are read at once (send smaller batches, or fewer at a time)`,
        { retryAfterMs: busyRetryMs }
      )
    }
    this.#change(peerId, bytes)
    let taken = true
    return () => {
      if (taken) this.#change(peerId, -bytes)
      taken = false
    }
  }

  #change(peerId: string, bytes: number): void {
    this.#total += bytes
    const held = (this.#held.get(peerId) ?? 0) + bytes
    if (held > 0) this.#held.set(peerId, held)
    else this.#held.delete(peerId)
  }
}
