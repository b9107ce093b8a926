// The servers of one model as this client knows them: present servers, round trips, recent failures. Routing decides,
// with this data.
import { delay, within } from '../../../common/async.ts'
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { type Logger, silent } from '../../../common/logger.ts'
import type { BlockRange } from '../../../common/range.ts'
import { second } from '../../../common/units.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import { SwarmStateError } from '../../../network/state/error.ts'
import { type ModelName, swarmState } from '../../../network/state/swarm-state.ts'
import { type ProtocolName, unspokenOf } from '../../../proto/protocols.ts'
import { Punctuality } from '../passes/punctuality.ts'
import { findRoute, type Hop, type RouteOptions, type RouteServer, routeCost } from '../routing/routing.ts'
import { Load, spreadRoutes } from '../routing/spread.ts'
import { Bans } from './bans.ts'
import { Blame, type Offence } from './blame.ts'
import { Experience } from './experience.ts'
import { givenUp } from './given-up.ts'
import { LatenessJudge, type QueueOf } from './lateness.ts'
import { type Ping, RoundTrips } from './round-trips.ts'
import { ServerList, type ServerSource } from './server-list.ts'

/** Distance that is added to an avoided server: it is used only if no other has the blocks. */
const avoidedMs = 30 * second
/** What is promised of servers whose announcements are gone. */
const unknownPromiseMs = 0.5 * second
/**
 * A session's first step may take this long beside four times what its servers promise before another chain is asked too. The
 * promise leaves out compiling, which servers have done by then, and the load of the last minute.
 */
const firstStepMs = 0.2 * second
/** A model that is closed waits this long to learn whether servers that were late are at fault. */
const lastJudgingMs = 0.5 * second

/** Protocols of the requests over a route: sessions follow the one of least latency, passes that of most throughput. */
const protocolsOf = ({ mode = 'latency' }: RouteOptions): readonly ProtocolName[] =>
  mode === 'latency' ? ['inference'] : ['forward', 'backward']

export interface PeersComponents extends ServerSource {
  /** models that the swarm serves, for the message when it is not this one */
  modelsServed?(options: { signal?: AbortSignal }): Promise<readonly ModelName[]>
  readonly ping: Ping
  /** requests and steps that wait at a server, by its own report; absent: servers are not asked */
  readonly queueOf?: QueueOf
  /** identity of the model; default: none */
  readonly model?: string
  /** its name, for messages */
  readonly modelName?: string
  /** name of the private swarm, for messages; undefined: an open swarm */
  readonly swarmName?: string
  /** record of offences; default: empty, and lost with this object */
  readonly blame?: Blame
  /** first answers of servers that are not known are checked before they are used: one that lied long ago may be tried again. Default false */
  readonly audited?: boolean
  readonly logger?: Logger
  /** milliseconds since 1970; for tests */
  readonly now?: () => number
}

/** What a route is looked for. */
interface Wanted {
  readonly blocks: BlockRange
  readonly needs: readonly ProtocolName[]
  readonly signal?: AbortSignal
}

/** A chain of servers that this client counts as busy until `done` is called. */
export interface ReservedRoute {
  readonly hops: readonly Hop[]
  done(): void
}

export class Peers {
  /** first steps of sessions: their time limits and their quota of hedges */
  readonly firstSteps = new Punctuality({ leastMs: firstStepMs })
  readonly #components: PeersComponents
  readonly #logger: Logger
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #roundTrips: RoundTrips
  readonly #bans: Bans
  readonly #load = new Load()
  readonly #experience: Experience
  readonly #blame: Blame
  readonly #model: string
  readonly #lateness: LatenessJudge
  readonly #list: ServerList

  constructor(components: PeersComponents) {
    this.#components = components
    this.#logger = components.logger ?? silent
    this.#now = components.now ?? Date.now
    this.#experience = new Experience(this.#now)
    const shared = { logger: this.#logger, now: this.#now }
    this.#bans = new Bans(shared)
    this.#blame = components.blame ?? new Blame({ home: null, ...shared })
    this.#model = components.model ?? ''
    this.#roundTrips = new RoundTrips({ ...shared, ping: components.ping })
    const list = { ...shared, source: components, roundTrips: this.#roundTrips, blame: this.#blame }
    this.#list = new ServerList(list, { closing: this.#closing.signal })
    const accuse = (peerId: string, why: string) => this.accuse(peerId, 'late', why)
    this.#lateness = new LatenessJudge({ queueOf: components.queueOf, accuse }, { closing: this.#closing.signal })
  }

  /** Servers that announce themselves online, including banned ones but not liars. */
  get servers(): readonly Announcement[] {
    return this.#list.present
  }

  /** Peers that recently failed, are busy, or have offences: they are used only if no other has the blocks. */
  get banned(): ReadonlySet<string> {
    return new Set([...this.#bans.current, ...this.#avoided.keys()])
  }

  /** Where the peer can be dialed. */
  addressesOf(peerId: string): readonly string[] {
    return this.#list.announced.find(server => server.peerId === peerId)?.addresses ?? []
  }

  /** Bytes of the largest request that the peer accepts, as announced; Infinity if not announced. */
  requestBytesOf(peerId: string): number {
    return this.#list.announced.find(server => server.peerId === peerId)?.requestBytes ?? Infinity
  }

  /** The announced precision of the peer's blocks. */
  dtypeOf(peerId: string): string | undefined {
    return this.#list.announced.find(server => server.peerId === peerId)?.dtype
  }

  /**
   * A chain through `blocks` of other servers than those, of one precision if possible; null if there is none. Makes no
   * look-up. `evenBanned`: recently failed servers are better than none
   */
  otherRoute(
    blocks: BlockRange,
    options: RouteOptions & {
      readonly without: ReadonlySet<string>
      readonly dtype?: string
      readonly evenBanned?: boolean
    }
  ): readonly Hop[] | null {
    const { without, dtype, evenBanned = false, ...routing } = options
    const all = this.#routeServers(protocolsOf(routing))
    const ofDtype = all.filter(({ peerId }) => this.dtypeOf(peerId) === dtype)
    for (const left of evenBanned ? [this.banned, new Set<string>()] : [this.banned]) {
      const excluded = new Set([...left, ...without])
      for (const servers of [ofDtype, all]) {
        try {
          return findRoute(servers, blocks, { ...routing, excluded })
        } catch {
          // none of these: try the others
        }
      }
    }
    return null
  }

  /**
   * Excludes the peer for 15 s, doubled after each further failure in a row; a peer that sent a retry delay, for that
   * time.
   */
  fail(peerId: string, reason?: SwarmError | Pick<SwarmError, 'retryAfterMs'>): void {
    this.#bans.fail(peerId, reason)
  }

  /** The error after retries have failed. */
  givenUp(blocks: BlockRange, error: SwarmError): SwarmError {
    const reasons = new Map([...this.#avoided, ...this.#bans.reasons])
    return givenUp(error, blocks, this.servers, reasons)
  }

  /** Records an offence of a server, also for other processes: a liar gets no requests, others are avoided. */
  accuse(peerId: string, offence: Offence, why: string): void {
    this.#blame.accuse(peerId, { model: this.#model, offence, why })
  }

  /** An answer of the server was compared with another's and is right. */
  vouch(peerId: string): void {
    this.#blame.vouch(peerId)
  }

  /** Whether an answer of the server was recently checked and right. */
  isKnown(peerId: string): boolean {
    return this.#blame.isKnown(peerId)
  }

  /** True for a server that was found to lie: it gets no requests. */
  isExcluded(peerId: string): boolean {
    return this.#blame.isExcluded(peerId)
  }

  /** True for a server that was found to lie and whose exclusion is over. */
  isOnProbation(peerId: string): boolean {
    return this.#blame.isOnProbation(peerId)
  }

  /** Expected milliseconds of a route by announcements and measurements, without delays. */
  promisedMs(route: readonly Hop[], options: RouteOptions = {}): number {
    const known = this.#list.announced.filter(server => route.some(({ peerId }) => peerId === server.peerId))
    const servers = known.map(server => ({ ...this.#routeServer(server), lateMs: 0 }))
    return route.every(hop => servers.some(({ peerId }) => peerId === hop.peerId))
      ? routeCost(route, servers, options)
      : unknownPromiseMs
  }

  /** The same with recent delays of servers. */
  expectedMs(route: readonly Hop[], options: RouteOptions = {}): number {
    const lateMs = route.reduce((sum, { peerId }) => sum + this.#experience.latenessOf(peerId), 0)
    return this.promisedMs(route, options) + lateMs
  }

  /** Milliseconds of this client's work in flight to a server. */
  loadMs(peerId: string): number {
    return this.#load.busyUntilMs.get(peerId) ?? 0
  }

  /**
   * A server had no answer `ms` milliseconds after its promised time, and another was asked instead. Routing adds that
   * delay to its distance for a while. If it reports no work and still does not answer, later runs avoid it too.
   * @param answered the request is still open: resolves when it is answered or lost
   * @returns resolves when the open request is no longer useful; never rejects
   */
  async late(peerId: string, ms: number, answered?: Promise<unknown>): Promise<void> {
    this.#experience.late(peerId, ms)
    await this.#lateness.judge(peerId, ms, answered)
  }

  /** Steps at a server took `ms` milliseconds longer than promised: it counts as that much further away for a while. */
  slower(peerId: string, ms: number): void {
    this.#experience.late(peerId, ms)
  }

  /** A server answered in the time that it promised. */
  inTime(peerId: string): void {
    this.#experience.inTime(peerId)
  }

  /** Forgets the peer's failures. */
  succeed(peerId: string): void {
    this.#bans.succeed(peerId)
  }

  /**
   * The best chain of servers through `blocks`. Banned servers, and those to `avoid`, are used only if there is no
   * other. Throws BLOCKS_UNAVAILABLE with the blocks without a server, and the errors of the look-up.
   */
  route(
    blocks: BlockRange,
    options: RouteOptions & { readonly signal?: AbortSignal; readonly avoid?: ReadonlySet<string> } = {}
  ): Promise<readonly Hop[]> {
    const { signal, avoid, ...routing } = options
    return this.#find({ blocks, needs: protocolsOf(routing), signal }, (servers, excluded) =>
      findRoute(away(servers, avoid), blocks, { ...routing, excluded })
    )
  }

  /**
   * A chain for each part of a batch, `tokens` long, over all servers that help; work in flight counts. Throws as
   * `route` does.
   */
  reserveRoutes(
    blocks: BlockRange,
    tokens: readonly number[],
    options: { readonly signal?: AbortSignal } = {}
  ): Promise<readonly ReservedRoute[]> {
    return this.#find(
      { blocks, needs: protocolsOf({ mode: 'throughput' }), signal: options.signal },
      (servers, excluded) => {
        const { busyUntilMs } = this.#load
        const routes = spreadRoutes(servers, blocks, tokens, { busyUntilMs, excluded })
        return routes.map(route => ({ hops: route.hops, done: this.#load.add(route) }))
      }
    )
  }

  /** Records the time of a decode step over this route, so that routing uses actual and not only announced times. */
  took(route: readonly Hop[], ms: number): void {
    const known = new Map(this.#routeServers().map(server => [server.peerId, server]))
    const servers = route.flatMap(({ peerId }) => known.get(peerId) ?? [])
    if (servers.length === route.length) this.#experience.took(route, servers, ms)
  }

  get #avoided(): ReadonlyMap<string, string> {
    return this.#blame.avoided(this.#model, { probation: this.#components.audited !== true })
  }

  /** Ends pending work, after at most a moment in which it finds out whether late servers are at fault. */
  async close(): Promise<void> {
    await within(lastJudgingMs, this.#lateness.judged())
    this.#closing.abort(new SwarmError('ABORTED', 'the model was closed'))
  }

  /** The result of `plan` without banned servers; if it finds none, after a thorough look-up; otherwise with them. */
  async #find<T>(
    wanted: Wanted,
    plan: (servers: readonly RouteServer[], excluded: ReadonlySet<string>) => T
  ): Promise<T> {
    const { blocks, needs, signal } = wanted
    await this.#list.update(signal)
    const find = (excluded: ReadonlySet<string>) => plan(this.#routeServers(needs), excluded)
    try {
      return find(this.banned)
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== 'BLOCKS_UNAVAILABLE') throw error
      await this.#list.completeFor(blocks, signal)
      try {
        return find(this.banned)
      } catch {
        if (await this.#waitForBusy(signal)) return this.#find(wanted, plan)
        try {
          return find(new Set())
        } catch (missing) {
          if (!(missing instanceof SwarmError)) throw missing
          if (this.#list.leftOut > 0) throw this.#otherPrecision(missing)
          if (this.#list.liars.length > 0) throw this.#liarsLeftOut(missing)
          throw await this.#explain(missing, wanted)
        }
      }
    }
  }

  /** Waits until the first busy server may be asked again; false if there is none. */
  async #waitForBusy(signal?: AbortSignal): Promise<boolean> {
    const { busyMs } = this.#bans
    if (busyMs === null) return false
    await delay(busyMs, signal)
    return true
  }

  #liarsLeftOut({ code, message, retryable }: SwarmError): SwarmError {
    const paths = this.#list.liars.map(({ peerId }) => this.#blame.pathOf(peerId) ?? `…${peerId.slice(-8)}`)
    const hint = `to trust one again, delete ${paths.slice(0, 2).join(', ')}`
    const kept = paths.some(path => path.endsWith('.json')) ? `; ${hint}` : ''
    return new SwarmError(code, `${message}; ${paths.length} excluded because an audit found that they lied${kept}`, {
      retryable
    })
  }

  #otherPrecision({ code, message, retryable }: SwarmError): SwarmError {
    const { requireDtype } = this.#components
    const others = `${this.#list.leftOut} excluded because ${requireDtype} is required and they announce another dtype`
    return new SwarmError(code, `${message}; ${others}`, { retryable })
  }

  /** @param needs protocols whose version of this build the servers must speak */
  #routeServers(needs: readonly ProtocolName[] = []): RouteServer[] {
    return this.servers
      .filter(({ protocols }) => unspokenOf(needs, protocols).length === 0)
      .map(server => this.#routeServer(server))
  }

  #routeServer({ peerId, firstBlock, endBlock, trips, ...announced }: Announcement): RouteServer {
    return {
      peerId,
      blocks: { first: firstBlock, end: endBlock },
      roundTripMs: this.#roundTrips.of(peerId),
      decodeRate: announced.decodeRate,
      forwardRate: announced.forwardRate,
      cacheBytesFree: announced.cacheBytesFree,
      queueMs: announced.queueMs,
      trainingQueueMs: announced.trainingQueueMs,
      slowness: this.#experience.slownessOf(peerId),
      lateMs: this.#experience.latenessOf(peerId),
      ...(trips.length > 0 && { trips: new Map(trips.map(trip => [trip.peerId, trip.ms])) })
    }
  }

  /** Why no chain of servers covers the blocks: the state of the swarm, or the error itself where that says nothing more. */
  async #explain(cause: SwarmError, { blocks, needs, signal }: Wanted): Promise<SwarmError> {
    const now = this.#now()
    const servers = this.#list.announced.filter(({ expiresAt }) => expiresAt > now)
    const { model: identity, modelName: name, swarmName: swarm } = this.#components
    const model = identity !== undefined && name !== undefined ? { model: { identity, name } } : {}
    const served = servers.length === 0 ? await this.#served(signal) : []
    const state = swarmState({ connected: 1, swarm, ...model, blocks, servers, needs, served })
    return state.kind === 'complete' ? cause : new SwarmStateError(state, { cause })
  }

  /** Models that the swarm serves; none where they cannot be told. */
  async #served(signal?: AbortSignal): Promise<readonly ModelName[]> {
    try {
      return (await this.#components.modelsServed?.({ signal })) ?? []
    } catch (error) {
      this.#logger.debug({ error }, `cannot tell what else is served: ${messageOf(error)}`)
      return []
    }
  }
}

/** The servers, some of them as if they were far away. */
function away(servers: readonly RouteServer[], avoid: ReadonlySet<string> | undefined): readonly RouteServer[] {
  if (avoid === undefined || avoid.size === 0) return servers
  return servers.map(server =>
    avoid.has(server.peerId) ? { ...server, lateMs: (server.lateMs ?? 0) + avoidedMs } : server
  )
}
