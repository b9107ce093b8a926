// Renews a server's announcement while it serves, and withdraws it when it leaves.
import { SerialQueue } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import { announcementExpiryMs, announcementIntervalMs, newPeersDelayMs } from '../constants.ts'
import type { Peer } from '../streams/peer.ts'
import type { AnnouncementFields } from './announcement.ts'

export interface AnnounceOptions {
  /** how long the announcement is valid, default six minutes */
  readonly expiryMs?: number
  readonly signal?: AbortSignal
}

/** What an announcer needs of its peer. */
type AnnouncingPeer = Pick<Peer, 'onPeer' | 'onAddresses' | 'rejoin'> & {
  announce(fields: AnnouncementFields, options?: AnnounceOptions): Promise<number>
}

export interface AnnouncerInit {
  readonly intervalMs?: number
  /** more than the interval, at most an hour */
  readonly expiryMs?: number
}

export class Announcer {
  readonly #network: AnnouncingPeer
  readonly #logger: Logger
  readonly #intervalMs: number
  readonly #expiryMs: number
  readonly #stopping = new AbortController()
  #describe: (() => AnnouncementFields) | undefined
  #timer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #unsubscribe: (() => void) | undefined
  /** announcements run in order, so that the latest one wins */
  readonly #turns = new SerialQueue()

  constructor(components: { network: AnnouncingPeer; logger?: Logger }, init: AnnouncerInit = {}) {
    this.#network = components.network
    this.#logger = components.logger ?? silent
    this.#intervalMs = init.intervalMs ?? announcementIntervalMs
    this.#expiryMs = init.expiryMs ?? announcementExpiryMs
  }

  /**
   * Announces the result of `describe`, now and again before it expires, when new peers appear and when addresses
   * change. Returns after the first announcement, also if no peer received it. Throws INVALID_ARGUMENT for invalid
   * fields.
   */
  async start(source: { describe(): AnnouncementFields }): Promise<void> {
    if (this.#describe) return
    this.#describe = () => source.describe()
    const soon = () => this.#schedule(newPeersDelayMs)
    const subscriptions = [this.#network.onPeer(soon), this.#network.onAddresses(soon)]
    this.#unsubscribe = () => {
      for (const unsubscribe of subscriptions) unsubscribe()
    }
    await this.#announce(this.#describe())
    this.#schedule(this.#intervalMs)
  }

  /** Announces a change at once. */
  async update(): Promise<void> {
    if (this.#describe && !this.#stopping.signal.aborted) await this.#announce(this.#describe())
  }

  /**
   * Withdraws the announcement: the last record says `offline`, which readers treat as gone. It outlives all earlier
   * records, so none of them can be replayed. Never throws.
   */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort(new SwarmError('ABORTED', 'the announcer stops'))
    clearTimeout(this.#timer)
    this.#unsubscribe?.()
    if (!this.#describe) return
    try {
      const signal = AbortSignal.timeout(leaveTimeoutMs)
      await this.#turns.idle
      await this.#network.announce({ ...this.#describe(), state: 'offline' }, { expiryMs: this.#expiryMs, signal })
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'could not announce that this server leaves')
    }
  }

  /** Announces at the latest in `delayMs`. */
  #schedule(delayMs: number): void {
    const at = performance.now() + delayMs
    if (this.#stopping.signal.aborted || at >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = at
    this.#timer = setTimeout(async () => {
      this.#dueAt = Number.POSITIVE_INFINITY
      try {
        await this.#network.rejoin()
        await this.update()
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#logger.warn({ reason: messageOf(error) }, 'announcing failed, retrying')
      }
      this.#schedule(this.#intervalMs)
    }, delayMs)
    // the server's sockets keep the process alive, not this
    this.#timer.unref()
  }

  #announce(fields: AnnouncementFields): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#stopping.signal.aborted) return
      const options = { expiryMs: this.#expiryMs, signal: this.#stopping.signal }
      const peers = await this.#network.announce(fields, options)
      this.#logger.debug({ peers, state: fields.state }, 'announced')
    })
  }
}

/** leaving must not take longer than a user waits at a prompt */
const leaveTimeoutMs = 3000
