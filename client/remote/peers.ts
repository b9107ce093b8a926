// The servers of one model as this client knows them: who is there, how far away, who failed lately.
// Decides nothing: routing does, over what this gives.
import { messageOf, SwarmError, toSwarmError } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import type { BlockRange } from '../../common/range.ts'
import { minute, second } from '../../common/units.ts'
import type { Announcement } from '../../network/announcement.ts'
import { excludedPeers } from '../audit/excluded.ts'
import { Bans } from './bans.ts'
import { Experience } from './experience.ts'
import { givenUp } from './given-up.ts'
import { delay, throwIfAborted, within } from './retry.ts'
import { type Ping, RoundTrips } from './round-trips.ts'
import { findRoute, type Hop, type RouteOptions, type RouteServer } from './routing.ts'
import { Load, spreadRoutes } from './spread.ts'

/** The list of servers is asked for again when it is older. */
const refreshMs = 1 * minute
/** The first route waits so long for round trips; servers that have not answered count as unknown. */
const firstPingsMs = 1 * second
/** Where blocks are missing they are looked for thoroughly, but not more often. */
const thoroughMs = 0.1 * second
export interface PeersComponents {
  /** the model's servers as announced now; `enough` says whether dearer ways of looking are worth it */
  findServers(options: {
    signal?: AbortSignal
    enough?: (servers: readonly Announcement[]) => boolean
  }): Promise<readonly Announcement[]>
  /** names of the models that the swarm serves, for the message when it is not this one */
  modelsServed?(options: { signal?: AbortSignal }): Promise<readonly string[]>
  readonly ping: Ping
  /** servers whose blocks are of another precision are left out: `float32`, `int8`, `int4` */
  readonly requireDtype?: string
  readonly logger?: Logger
  /** milliseconds since 1970; for tests */
  readonly now?: () => number
}

/** A chain of servers that this client counts as busy until `done` is called. */
export interface ReservedRoute {
  readonly hops: readonly Hop[]
  done(): void
}

export class Peers {
  readonly #components: PeersComponents
  readonly #logger: Logger
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #roundTrips: RoundTrips
  readonly #bans: Bans
  readonly #load = new Load()
  readonly #experience: Experience
  #servers: readonly Announcement[] = []
  /** servers of another precision than the one that is required, when last looked */
  #leftOut = 0
  #refreshedAt = -Infinity
  #thoroughAt = -Infinity
  #refreshing: Promise<void> | undefined

  constructor(components: PeersComponents) {
    this.#components = components
    this.#logger = components.logger ?? silent
    this.#now = components.now ?? Date.now
    this.#experience = new Experience(this.#now)
    const shared = { logger: this.#logger, now: this.#now }
    this.#bans = new Bans(shared)
    this.#roundTrips = new RoundTrips({ ...shared, ping: components.ping })
  }

  /** Servers that are online by their announcements, banned ones included, those that lied not. */
  get servers(): readonly Announcement[] {
    const now = this.#now()
    const isUsed = ({ peerId, state, expiresAt }: Announcement): boolean =>
      state === 'online' && expiresAt > now && !excludedPeers.has(peerId)
    return this.#servers.filter(isUsed)
  }

  /** Peers that failed lately or are busy. */
  get banned(): ReadonlySet<string> {
    return this.#bans.current
  }

  /** Where the peer can be dialed. */
  addressesOf(peerId: string): readonly string[] {
    return this.#servers.find(server => server.peerId === peerId)?.addresses ?? []
  }

  /** What the peer says that it holds its blocks in. */
  dtypeOf(peerId: string): string | undefined {
    return this.#servers.find(server => server.peerId === peerId)?.dtype
  }

  /** A chain through `blocks` of other servers than those, of one precision where there is one; null where there is none. Looks for nobody. */
  otherRoute(
    blocks: BlockRange,
    options: RouteOptions & { readonly without: ReadonlySet<string>; readonly dtype?: string }
  ): readonly Hop[] | null {
    const { without, dtype, ...routing } = options
    const excluded = new Set([...this.banned, ...without])
    const ofDtype = this.#routeServers().filter(({ peerId }) => this.dtypeOf(peerId) === dtype)
    for (const servers of [ofDtype, this.#routeServers()]) {
      try {
        return findRoute(servers, blocks, { ...routing, excluded })
      } catch {
        // nobody of these: perhaps of the others
      }
    }
    return null
  }

  /** Leaves the peer out for 15 s, twice as long after each further failure in a row; one that said when to come back, until then. */
  fail(peerId: string, reason?: SwarmError | Pick<SwarmError, 'retryAfterMs'>): void {
    this.#bans.fail(peerId, reason)
  }

  /** What to say where trying again has not helped. */
  givenUp(blocks: BlockRange, error: SwarmError): SwarmError {
    return givenUp(error, blocks, this.servers, this.#bans.reasons)
  }

  /** Forgets the peer's failures. */
  succeed(peerId: string): void {
    this.#bans.succeed(peerId)
  }

  /**
   * The best chain of servers through `blocks`. Banned ones are taken only where there is no other.
   * Throws BLOCKS_UNAVAILABLE naming the blocks that nobody serves, and whatever looking for servers throws.
   */
  route(blocks: BlockRange, options: RouteOptions & { readonly signal?: AbortSignal } = {}): Promise<readonly Hop[]> {
    return this.#find(blocks, options.signal, (servers, excluded) =>
      findRoute(servers, blocks, { ...options, excluded })
    )
  }

  /**
   * A chain for each part of a batch, `tokens` long, over all servers that help; what is under way counts. Throws as
   * `route` does.
   */
  reserveRoutes(
    blocks: BlockRange,
    tokens: readonly number[],
    options: { readonly signal?: AbortSignal } = {}
  ): Promise<readonly ReservedRoute[]> {
    return this.#find(blocks, options.signal, (servers, excluded) => {
      const { busyUntilMs } = this.#load
      const routes = spreadRoutes(servers, blocks, tokens, { busyUntilMs, excluded })
      return routes.map(route => ({ hops: route.hops, done: this.#load.add(route) }))
    })
  }

  /** A decode step over this route took so long: routes are chosen by what servers do, not only by what they announce. */
  took(route: readonly Hop[], ms: number): void {
    const known = new Map(this.#routeServers().map(server => [server.peerId, server]))
    const servers = route.flatMap(({ peerId }) => known.get(peerId) ?? [])
    if (servers.length === route.length) this.#experience.took(route, servers, ms)
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort(new SwarmError('ABORTED', 'the model was closed'))
  }

  /** What `plan` finds without the banned servers, after a thorough look where that is nothing, or else with them. */
  async #find<T>(
    blocks: BlockRange,
    signal: AbortSignal | undefined,
    plan: (servers: readonly RouteServer[], excluded: ReadonlySet<string>) => T
  ): Promise<T> {
    await this.#update(signal)
    const find = (excluded: ReadonlySet<string>) => plan(this.#routeServers(), excluded)
    try {
      return find(this.banned)
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== 'BLOCKS_UNAVAILABLE') throw error
      if (this.#now() - this.#thoroughAt > thoroughMs) await this.#refresh(signal, blocks)
      try {
        return find(this.banned)
      } catch {
        if (await this.#waitForBusy(signal)) return this.#find(blocks, signal, plan)
        try {
          return find(new Set())
        } catch (missing) {
          if (this.#leftOut > 0) throw this.#otherPrecision(missing as SwarmError)
          throw this.servers.length === 0 ? await this.#explain(missing as SwarmError, signal) : missing
        }
      }
    }
  }

  /** Until the first of the busy servers may be asked again; false where there is none. */
  async #waitForBusy(signal?: AbortSignal): Promise<boolean> {
    const { busyMs } = this.#bans
    if (busyMs === null) return false
    await delay(busyMs, signal)
    return true
  }

  #otherPrecision({ code, message, retryable }: SwarmError): SwarmError {
    const { requireDtype } = this.#components
    const others = `${this.#leftOut} left out because ${requireDtype} is required of servers and they announce another dtype`
    return new SwarmError(code, `${message}; ${others}`, { retryable })
  }

  #routeServers(): RouteServer[] {
    return this.servers.map(({ peerId, firstBlock, endBlock, trips, ...announced }) => ({
      peerId,
      blocks: { first: firstBlock, end: endBlock },
      roundTripMs: this.#roundTrips.of(peerId),
      decodeRate: announced.decodeRate,
      forwardRate: announced.forwardRate,
      cacheBytesFree: announced.cacheBytesFree,
      queueMs: announced.queueMs,
      trainingQueueMs: announced.trainingQueueMs,
      slowness: this.#experience.slownessOf(peerId),
      ...(trips.length > 0 && { trips: new Map(trips.map(trip => [trip.peerId, trip.ms])) })
    }))
  }

  /** Refreshes: in front of the caller the first time, later behind him while the list in hand still serves. */
  async #update(signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    if (this.#now() - this.#refreshedAt < refreshMs) return
    if (this.servers.length === 0) await this.#refresh(signal)
    else {
      this.#refresh().catch(error => this.#logger.debug({ error }, `looking for servers failed: ${messageOf(error)}`))
    }
  }

  /** Where nobody serves the model: what the swarm serves instead. */
  async #explain(error: SwarmError, signal?: AbortSignal): Promise<SwarmError> {
    try {
      const models = (await this.#components.modelsServed?.({ signal })) ?? []
      if (models.length === 0) return error
      const hint = `the swarm serves ${models.join(', ')}: is it the same checkpoint and revision?`
      return new SwarmError(error.code, `${error.message}; ${hint}`, { cause: error })
    } catch (failure) {
      this.#logger.debug({ error: failure }, `cannot tell what else is served: ${messageOf(failure)}`)
      return error
    }
  }

  /** One look-up at a time; whoever gives up leaves it to the others. `blocks`: all of them should be served. */
  async #refresh(signal?: AbortSignal, blocks?: BlockRange): Promise<void> {
    throwIfAborted(signal)
    this.#refreshing ??= this.#look(blocks).finally(() => {
      this.#refreshing = undefined
    })
    const aborted = Promise.withResolvers<never>()
    const onAbort = () => aborted.reject(toSwarmError(signal?.reason, 'ABORTED'))
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.#refreshing, aborted.promise])
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #wanted(servers: readonly Announcement[]): readonly Announcement[] {
    const { requireDtype } = this.#components
    return requireDtype === undefined ? servers : servers.filter(({ dtype }) => dtype === requireDtype)
  }

  async #look(blocks?: BlockRange): Promise<void> {
    const { signal } = this.#closing
    const enough = blocks && ((found: readonly Announcement[]) => covers(this.#wanted(found), blocks))
    const found = await this.#components.findServers({ signal, enough })
    const servers = this.#wanted(found)
    this.#leftOut = found.length - servers.length
    const first = this.#refreshedAt === -Infinity
    this.#servers = servers
    this.#refreshedAt = this.#now()
    if (blocks !== undefined) this.#thoroughAt = this.#refreshedAt
    this.#logger.debug({ servers: servers.length }, 'servers of the model found')
    const pings = this.#roundTrips.measure(
      servers.filter(server => server.state === 'online'),
      signal
    )
    if (first) await within(firstPingsMs, pings)
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
