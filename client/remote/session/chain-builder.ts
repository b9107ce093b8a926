// Builds chains of servers for a session: the first one, and replacements for lost servers. Knows only replayed steps.

import { settled, throwIfAborted } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { BlockRange } from '../../../common/range.ts'
import { type Float32Tensor, int64 } from '../../../common/tensor.ts'
import { minute, second } from '../../../common/units.ts'
import { replayPositions } from '../../../proto/limits.ts'
import { encoderTensors } from '../passes/encoder-states.ts'
import { allFinite, mayOverflow } from '../passes/finite.ts'
import { patience } from '../passes/hedge.ts'
import { describeHop, hopError, isPeersFault, notFinite } from '../passes/span-request.ts'
import type { Peers } from '../peers/peers.ts'
import type { Hop, RouteOptions } from '../routing/routing.ts'
import { type HopComponents, type HopInit, type HopPlace, SessionHop } from './hop.ts'
import { type Chain, FedInputs, type LostServers, lostRuns, type MendPoint } from './session-chain.ts'

const replayTimeoutMs = 5 * minute
/**
 * Opening a session costs a round trip and cache memory: after this time beyond routing's estimate, other servers are
 * asked.
 */
const openPatienceMs = 0.4 * second
const patienceFactor = 4
/** Failures between two servers that both answer the client, after which hidden states go through the client. */
const maxLinkFailures = 2

/** A server did not answer in time, and there are others. */
class Late extends SwarmError {
  constructor(message: string) {
    super('UNREACHABLE', message)
  }
}

/** The neighbours of the requested servers, if any. */
interface Between {
  readonly before: SessionHop | null
  readonly after: SessionHop | null
  /**
   * session id at the servers; null: each attempt has its own, because the end of an earlier one may still be in flight
   */
  readonly session: Uint8Array | null
}

export interface ChainBuilderComponents extends HopComponents {
  readonly peers: Pick<
    Peers,
    | 'addressesOf'
    | 'succeed'
    | 'fail'
    | 'route'
    | 'took'
    | 'givenUp'
    | 'late'
    | 'slower'
    | 'inTime'
    | 'accuse'
    | 'promisedMs'
    | 'expectedMs'
    | 'isExcluded'
    | 'firstSteps'
  >
  /** a server's signed announcement; without it hidden states go through the client */
  readonly recordOf?: (peerId: string) => Uint8Array | undefined
  /** all hidden states go through the client, which then sees the result of each server; default: none */
  readonly relays?: () => boolean
  readonly logger: Logger
}

export interface ChainBuilderInit extends HopInit {
  readonly blocks: BlockRange
  readonly hiddenSize: number
  /** of the KV cache, and of keys and values of what the block attends to */
  readonly cacheBytesPerBlock: number
}

export class ChainBuilder {
  readonly #components: ChainBuilderComponents
  readonly #init: ChainBuilderInit
  #linkFailures = 0
  #isRelayed = false

  constructor(components: ChainBuilderComponents, init: ChainBuilderInit) {
    this.#components = components
    this.#init = init
  }

  /** The servers as routing knows them, and their offences. */
  get peers(): ChainBuilderComponents['peers'] {
    return this.#components.peers
  }

  /** Records the time of a decode step through the chain, in milliseconds. */
  took({ hops }: Chain, ms: number): void {
    this.peers.took(
      hops.map(({ hop }) => hop),
      ms
    )
  }

  /** The error after retries have failed. */
  givenUp(error: SwarmError): SwarmError {
    return this.peers.givenUp(this.#init.blocks, error)
  }

  /** Expected milliseconds of a step of `positions` positions in each row, by the servers' announcements. */
  promisedMs({ hops }: Pick<Chain, 'hops'>, positions: number): number {
    return this.peers.promisedMs(
      hops.map(({ hop }) => hop),
      this.#stepOf(positions)
    )
  }

  /** Routing's cost model of a step with this many positions in each row. */
  #stepOf(positions: number): RouteOptions {
    const tokens = this.#init.batch * positions
    return positions === 1 ? {} : { mode: 'throughput', chained: true, tokens }
  }

  /** Whether the session's input explains an answer that is not finite. */
  mayOverflow(hidden: Float32Tensor): boolean {
    return mayOverflow({ hidden, ...encoderTensors(this.#init.encoder), ...this.#init.ports })
  }

  /** From now on hidden states go through the client, which sees the result of each server. */
  relay(): void {
    this.#isRelayed = true
  }

  /** The fastest chain with memory for the session. Throws BLOCKS_UNAVAILABLE, and the errors of the servers. */
  async build(signal?: AbortSignal, avoid?: ReadonlySet<string>): Promise<Chain> {
    const { blocks, batch, hiddenSize } = this.#init
    const { hops, session } = await this.#open(blocks, { before: null, after: null, session: null }, signal, avoid)
    const fed = hops.filter(({ place }) => place.previous === '')
    this.#components.logger.debug({ route: hops.map(({ hop }) => describeHop(hop)) }, 'session opened')
    return { hops, inputs: new Map(fed.map(hop => [hop, new FedInputs(batch, hiddenSize)])), session }
  }

  /**
   * A chain of other servers with rebuilt caches; the old chain continues. Returns null if there is no other server, or
   * if the others are expected to need more than `mostMs` for a step of `positions`. Throws as `build` does.
   */
  async rival(
    chain: Chain,
    point: MendPoint,
    signal: AbortSignal,
    { mostMs = Infinity, positions = 1 }: { mostMs?: number; positions?: number } = {}
  ): Promise<Chain | null> {
    const old = new Set(chain.hops.map(({ peerId }) => peerId))
    const { blocks, cacheBytesPerBlock } = this.#init
    const route = await this.peers.route(blocks, { mode: 'latency', cacheBytesPerBlock, signal, avoid: old })
    if (route.every(({ peerId }) => old.has(peerId)) || this.peers.expectedMs(route, this.#stepOf(positions)) > mostMs)
      return null
    this.#components.logger.debug({ route: route.map(describeHop) }, 'a chain is late: another is asked too')
    return await this.#rebuild(chain, point, signal, old)
  }

  /** A chain of the best servers, with caches rebuilt from all inputs; the old chain is abandoned. */
  async renew(chain: Chain, point: MendPoint, signal: AbortSignal): Promise<Chain> {
    const fresh = await this.#rebuild(chain, point, signal)
    for (const hop of chain.hops) await hop.close()
    return fresh
  }

  async #rebuild(chain: Chain, point: MendPoint, signal: AbortSignal, avoid?: ReadonlySet<string>): Promise<Chain> {
    const fresh = await this.build(signal, avoid)
    try {
      await this.#replay(fresh, 0, fresh.hops.length, chain.inputs.get(chain.hops[0]!)!, point, signal)
      return fresh
    } catch (failure) {
      for (const hop of fresh.hops) hop.abort(failure as SwarmError)
      throw failure
    }
  }

  /**
   * Replaces the lost servers of a chain and rebuilds their caches: the upstream server (or the client) replays their
   * inputs. If that is not possible, replaces all servers. Servers to `avoid` are used only if there is no other.
   */
  async mend(
    chain: Chain,
    lost: ReadonlyMap<SessionHop, LostServers>,
    point: MendPoint,
    signal: AbortSignal,
    avoid?: ReadonlySet<string>
  ): Promise<Chain> {
    for (const [hop, { error, isLink, isBlameless }] of lost) {
      hop.abort(error)
      if (isPeersFault(error) && isBlameless !== true) this.peers.fail(hop.peerId, error)
      if (isLink) void this.#countLink(hop)
    }
    let mended = chain
    try {
      if (this.#linkFailures === maxLinkFailures || this.mustRelay(chain))
        throw new SwarmError('UNREACHABLE', 'servers do not reach each other')
      for (const [first, end] of lostRuns(chain.hops, lost)) {
        mended = await this.#replace(mended, chain.hops[first]!, chain.hops[end - 1]!, point, signal, avoid)
      }
      return mended
    } catch (error) {
      throwIfAborted(signal)
      this.#components.logger.debug({ error }, 'the chain is built anew')
      for (const hop of new Set([...chain.hops, ...mended.hops])) hop.abort(error as SwarmError)
      return await this.#rebuild(chain, point, signal, avoid)
    }
  }

  /** Replaces leaving servers, which serve until then. Throws if there are no others; the chain is then unchanged. */
  async handOver(chain: Chain, leaving: readonly SessionHop[], point: MendPoint, signal: AbortSignal): Promise<Chain> {
    for (const { peerId } of leaving) this.peers.fail(peerId)
    let changed = chain
    for (const [first, end] of lostRuns(chain.hops, new Set(leaving))) {
      changed = await this.#replace(changed, chain.hops[first]!, chain.hops[end - 1]!, point, signal)
    }
    for (const hop of leaving) await hop.close()
    return changed
  }

  /** Other servers in place of `from` to `to`. */
  async #replace(
    { hops, inputs, session }: Chain,
    from: SessionHop,
    to: SessionHop,
    point: MendPoint,
    signal: AbortSignal,
    avoid?: ReadonlySet<string>
  ): Promise<Chain> {
    const [first, end] = [hops.indexOf(from), hops.indexOf(to) + 1]
    const before = from.place.previous === '' ? null : hops[first - 1]!
    const after = to.place.next === null ? null : hops[end]!
    const blocks = { first: from.hop.blocks.first, end: to.hop.blocks.end }
    const { hops: fresh } = await this.#open(blocks, { before, after, session }, signal, avoid)
    const own = new Map(inputs)
    for (const hop of hops.slice(first, end)) own.delete(hop)
    const { batch, hiddenSize } = this.#init
    for (const hop of fresh) if (hop.place.previous === '') own.set(hop, new FedInputs(batch, hiddenSize))
    const chain = { hops: [...hops.slice(0, first), ...fresh, ...hops.slice(end)], inputs: own, session }
    try {
      if (after !== null) {
        await after.route({ ...after.place, previous: fresh.at(-1)!.peerId }, { keepNext: true }, signal)
      }
      if (before === null) await this.#replay(chain, first, first + fresh.length, inputs.get(from)!, point, signal)
      else await before.route({ ...before.place, next: this.#nextHop(fresh[0]!.hop, true) }, { replay: true }, signal)
      return chain
    } catch (error) {
      for (const hop of fresh) hop.abort(error as SwarmError)
      throw error
    }
  }

  /**
   * Replays the inputs in `given` to the new servers `first` to `end - 1`, so that they reach the session's position.
   */
  async #replay(
    chain: Chain,
    first: number,
    end: number,
    given: FedInputs,
    point: MendPoint,
    signal: AbortSignal
  ): Promise<void> {
    // inputs that are replayed in a moment need not be sent now
    const isTaken = given.last >= point.first
    const number = isTaken ? point.first : given.last
    const ends = isTaken ? point.starts : given.history.lengths
    for (const part of given.history.parts(replayPositions, ends)) {
      let { hidden } = part
      const { lengths, starts } = part
      for (let index = first; index < end; index++) {
        const hop = chain.hops[index]!
        if (hop.place.previous !== '') continue
        chain.inputs.get(hop)!.take({ number, lengths, starts, parents: null }, hidden)
        let last = index
        while (last + 1 < end && chain.hops[last]!.place.next !== null) last += 1
        const isSilent = last + 1 === end
        const body = { timeoutMs: replayTimeoutMs, step: number, lastOnly: isSilent, replay: true }
        const numbers = { lengths: int64([lengths.length], lengths), starts: int64([starts.length], starts) }
        if (isSilent) await hop.step(body, { hidden, ...numbers }, signal)
        else {
          const answer = hop.ask(chain.hops[last]!, body, { hidden, ...numbers }, signal)
          hidden = await this.#heard(chain.hops[last]!, hidden, answer)
        }
      }
    }
    // also if there was nothing to send
    for (const hop of chain.hops.slice(first, end)) {
      const inputs = chain.inputs.get(hop)
      if (inputs !== undefined) inputs.last = number
    }
  }

  /** The servers' result of a replayed part. Throws if it is not finite although the part is. */
  async #heard({ hop }: SessionHop, given: Float32Tensor, answer: Promise<Float32Tensor>): Promise<Float32Tensor> {
    const hidden = await answer
    if (allFinite(hidden.data) || !allFinite(given.data)) return hidden
    const error = hopError(notFinite(), hop, 'session')
    this.peers.fail(hop.peerId, error)
    throw error
  }

  /**
   * Servers for a range of blocks. Servers that cannot be opened are replaced at once, each counted as lost once: many
   * may be gone but still listed. Servers that do not answer in time are replaced if there are others, and waited for
   * if not.
   */
  async #open(
    blocks: BlockRange,
    between: Between,
    signal?: AbortSignal,
    avoid: ReadonlySet<string> = new Set()
  ): Promise<{ hops: SessionHop[]; session: Uint8Array }> {
    const lost = new Set<string>()
    const late = new Set(avoid)
    for (let patienceMs = openPatienceMs; ; patienceMs *= 2) {
      const session = between.session ?? crypto.getRandomValues(new Uint8Array(16))
      const { hops, failures } = await this.#openRoute(
        blocks,
        { ...between, session },
        { avoid: late, patienceMs, signal }
      )
      if (failures.size === 0) return { hops, session }
      await Promise.all(hops.map(hop => hop.close()))
      throwIfAborted(signal)
      const isNews = ([peerId, error]: [string, unknown]): boolean =>
        error instanceof Late ? !late.has(peerId) : isPeersFault(error) && !lost.has(peerId)
      const news = [...failures].filter(isNews)
      if (news.length === 0) throw failures.values().next().value
      for (const [peerId, error] of news) (error instanceof Late ? late : lost).add(peerId)
    }
  }

  /** Opens the servers of the best route, all at once; returns the failed ones with their causes. */
  async #openRoute(
    blocks: BlockRange,
    { before, after, session }: Between & { readonly session: Uint8Array },
    { avoid, patienceMs, signal }: { avoid: ReadonlySet<string>; patienceMs: number; signal?: AbortSignal }
  ): Promise<{ hops: SessionHop[]; failures: Map<string, unknown> }> {
    const { cacheBytesPerBlock } = this.#init
    const options = { mode: 'latency', cacheBytesPerBlock, signal } as const
    const route = await this.peers.route(blocks, { ...options, avoid })
    const neighbours = [before && route[0]!, after?.hop].filter(hop => hop != null)
    if (!neighbours.every(hop => this.#canLink(hop))) {
      throw new SwarmError('UNREACHABLE', 'servers of the chain cannot forward to the new ones')
    }
    const places = route.map((_, index): HopPlace => {
      const next = route[index + 1]
      return {
        previous: index === 0 ? (before?.peerId ?? '') : this.#canLink(route[index]!) ? route[index - 1]!.peerId : '',
        next: next === undefined ? after && this.#nextHop(after.hop, false) : this.#nextHop(next, true)
      }
    })
    const hops: SessionHop[] = []
    const failures = new Map<string, unknown>()
    const ended = new AbortController()
    const open = async (hop: Hop, place: HopPlace): Promise<void> => {
      const late = new AbortController()
      const started = performance.now()
      const limitMs = patienceMs + patienceFactor * this.peers.promisedMs([hop])
      const waiting = patience(limitMs, ended.signal).then(async () => {
        const without = new Set([...avoid, hop.peerId])
        const others = await this.peers.route(hop.blocks, { ...options, avoid: without })
        if (others.every(({ peerId }) => !without.has(peerId)))
          late.abort(new Late(`no answer in ${Math.round(limitMs)} ms`))
      })
      void settled(waiting) // the route is settled before
      try {
        const own = AbortSignal.any([late.signal, ...(signal ? [signal] : [])])
        hops.push(await SessionHop.open(this.#components, this.#init, { hop, place, session, signal: own }))
      } catch (error) {
        const isLate = late.signal.aborted && !signal?.aborted
        failures.set(hop.peerId, isLate ? late.signal.reason : error)
        if (!isLate) return
        this.#components.logger.debug({ hop: describeHop(hop) }, 'a server does not open the session: another is asked')
        void this.peers.late(hop.peerId, performance.now() - started)
      }
    }
    await Promise.all(route.map((hop, index) => open(hop, places[index]!)))
    ended.abort(new SwarmError('ABORTED', 'the route is settled'))
    return { hops: hops.toSorted((a, b) => a.hop.blocks.first - b.hop.blocks.first), failures }
  }

  /** A lost or frozen server does not mean that the path to it is broken. */
  async #countLink(hop: SessionHop): Promise<void> {
    this.#linkFailures += 1
    if (!(await hop.isAlive(new AbortController().signal))) this.#linkFailures -= 1
  }

  /** Whether servers of the chain forward to each other although hidden states should go through the client. */
  mustRelay({ hops }: Chain): boolean {
    const { relays } = this.#components
    return (this.#isRelayed || relays?.() === true) && hops.some(({ place }) => place.next !== null)
  }

  #canLink({ peerId }: Hop): boolean {
    const { relays } = this.#components
    return (
      this.#linkFailures < maxLinkFailures &&
      !this.#isRelayed &&
      !relays?.() &&
      this.#components.recordOf?.(peerId) !== undefined
    )
  }

  /** Where a server sends its results to; null: to us. */
  #nextHop(hop: Hop, replay: boolean): HopPlace['next'] {
    if (!this.#canLink(hop)) return null
    return { peerId: hop.peerId, announcement: this.#components.recordOf!(hop.peerId)!, replay }
  }
}
