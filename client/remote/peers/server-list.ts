// The list of a model's servers: looks them up, again when it is old or blocks are missing, and measures the round trips to them.
import { pause, settled, throwIfAborted, unlessAborted, within } from '../../../common/async.ts'
import { messageOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { BlockRange } from '../../../common/range.ts'
import { minute, second } from '../../../common/units.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import type { Blame } from './blame.ts'
import type { RoundTrips } from './round-trips.ts'

/** The list of servers is refreshed when it is older. */
const refreshMs = 1 * minute
/** The first route waits at most so long for round trips; servers that have not answered count as unknown. */
const firstPingsMs = 1 * second
/** It waits less once servers of every block have answered: as long again as they took, and at least so long. */
const leastPingsMs = 0.05 * second
/** The first pings meet handshakes and compiling at this client: after so long, servers are pinged once more. */
const secondPingsMs = 1 * second
/** Where blocks are missing they are looked for thoroughly, but not more often. */
const thoroughMs = 0.1 * second

/** Where servers come from, and which of them are wanted. */
export interface ServerSource {
  /** the model's servers as announced now; `enough` says whether more expensive look-ups are worthwhile */
  findServers(options: {
    signal?: AbortSignal
    enough?: (servers: readonly Announcement[]) => boolean
  }): Promise<readonly Announcement[]>
  /** servers whose blocks are of another precision are left out: `float32`, `int8`, `int4` */
  readonly requireDtype?: string
}

export interface ServerListComponents {
  readonly source: ServerSource
  readonly roundTrips: RoundTrips
  readonly blame: Blame
  readonly logger: Logger
  /** milliseconds since 1970 */
  readonly now: () => number
}

export class ServerList {
  readonly #components: ServerListComponents
  readonly #logger: Logger
  readonly #now: () => number
  readonly #roundTrips: RoundTrips
  readonly #blame: Blame
  readonly #closing: AbortSignal
  #servers: readonly Announcement[] = []
  #leftOut = 0
  #refreshedAt = -Infinity
  #thoroughAt = -Infinity
  #refreshing: Promise<void> | undefined

  /** @param init.closing ends look-ups and pings */
  constructor(components: ServerListComponents, { closing }: { closing: AbortSignal }) {
    this.#components = components
    this.#logger = components.logger
    this.#now = components.now
    this.#roundTrips = components.roundTrips
    this.#blame = components.blame
    this.#closing = closing
  }

  /** All servers of the last look-up, in any state. */
  get announced(): readonly Announcement[] {
    return this.#servers
  }

  /** Servers that announce themselves online, without liars. */
  get present(): readonly Announcement[] {
    const now = this.#now()
    const isUsed = ({ peerId, state, expiresAt }: Announcement): boolean =>
      state === 'online' && expiresAt > now && !this.#blame.isExcluded(peerId)
    return this.#servers.filter(isUsed)
  }

  /** Online servers that were found to lie. */
  get liars(): readonly Announcement[] {
    return this.#servers.filter(({ peerId, state }) => state === 'online' && this.#blame.isExcluded(peerId))
  }

  /** Number of servers of another precision than the one that is required, at the last look-up. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** Refreshes the list: before the caller continues the first time, later in the background. */
  async update(signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    if (this.#now() - this.#refreshedAt < refreshMs) return
    if (this.present.length === 0) await this.#refresh(signal)
    else {
      this.#refresh().catch(error => this.#logger.debug({ error }, `looking for servers failed: ${messageOf(error)}`))
    }
  }

  /** Looks for servers of all these blocks thoroughly, unless that was done just now. */
  async completeFor(blocks: BlockRange, signal?: AbortSignal): Promise<void> {
    if (this.#now() - this.#thoroughAt > thoroughMs) await this.#refresh(signal, blocks)
  }

  /**
   * One look-up at a time; a caller that aborts does not stop it for the others. `blocks`: all of them should be
   * served.
   */
  async #refresh(signal?: AbortSignal, blocks?: BlockRange): Promise<void> {
    throwIfAborted(signal)
    this.#refreshing ??= this.#look(blocks).finally(() => {
      this.#refreshing = undefined
    })
    await unlessAborted(this.#refreshing, signal)
  }

  #wanted(servers: readonly Announcement[]): readonly Announcement[] {
    const { requireDtype } = this.#components.source
    return requireDtype === undefined ? servers : servers.filter(({ dtype }) => dtype === requireDtype)
  }

  async #look(blocks?: BlockRange): Promise<void> {
    const signal = this.#closing
    const enough = blocks && ((found: readonly Announcement[]) => covers(this.#wanted(found), blocks))
    const found = await this.#components.source.findServers({ signal, enough })
    const servers = this.#wanted(found)
    this.#leftOut = found.length - servers.length
    const first = this.#refreshedAt === -Infinity
    this.#servers = servers
    this.#refreshedAt = this.#now()
    if (blocks !== undefined) this.#thoroughAt = this.#refreshedAt
    this.#logger.debug({ servers: servers.length }, 'servers of the model found')
    await this.#blame.load()
    const online = servers.filter(server => server.state === 'online')
    if (first) await this.#firstPings(online)
    else void this.#roundTrips.measure(online, signal)
  }

  /** Waits for the round trips that the first route needs: one server that does not answer must not hold it up. */
  async #firstPings(servers: readonly Announcement[]): Promise<void> {
    const signal = this.#closing
    const started = performance.now()
    const reached = Promise.withResolvers<void>()
    const answered: Announcement[] = []
    const pings = this.#roundTrips.measure(servers, signal, server => {
      answered.push(server)
      if (servers.every(({ firstBlock: first, endBlock: end }) => covers(answered, { first, end }))) reached.resolve()
    })
    const enough = reached.promise.then(() => pause(Math.max(leastPingsMs, performance.now() - started), signal))
    void settled(this.#remeasure(pings, servers))
    await within(firstPingsMs, Promise.race([pings, enough]))
  }

  /** Pings the servers once more, a little after the first pings have ended. */
  async #remeasure(pings: Promise<void>, servers: readonly Announcement[]): Promise<void> {
    const signal = this.#closing
    await pings
    await pause(secondPingsMs, signal)
    if (!signal.aborted) await this.#roundTrips.remeasure(servers, signal)
  }
}

/** Whether online servers host all of the blocks. */
function covers(servers: readonly Announcement[], blocks: BlockRange): boolean {
  for (let block = blocks.first; block < blocks.end; block++) {
    const hosts = (server: Announcement) => server.firstBlock <= block && block < server.endBlock
    if (!servers.some(server => server.state === 'online' && hosts(server))) return false
  }
  return true
}
