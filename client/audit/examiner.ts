// One audit: the same work by a second party, and by a third where the two disagree. Knows no reports.
import { throwIfAborted } from '../../common/async.ts'
import type { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'
import { isPeersFault, type SpanRequest } from '../remote/passes/span-request.ts'
import type { Peers } from '../remote/peers/peers.ts'
import type { Hop } from '../remote/routing/routing.ts'
import type { OwnBlocks } from './own-blocks.ts'
import type { AuditCaller } from './recompute.ts'
import type { AuditKind, Lie } from './report.ts'
import { judge, type Verdict } from './verdict.ts'

/** What is computed again. */
export interface AuditedWork<Result> {
  readonly kind: AuditKind
  /** result of the audited server */
  readonly claimed: Result
  readonly signal: AbortSignal | undefined
  /** [batch, seq, hidden], the input */
  readonly input: Float32Tensor
  compute(route: readonly Hop[], signal: AbortSignal): Promise<Result>
  /** examines each of several servers whose joint result was wrong; absent: none of them is accused */
  examineEach?(route: readonly Hop[]): Promise<void>
  /** absent: it cannot be computed here */
  own?: (blocks: BlockRange) => Promise<Result>
  /** deviation of two results in units of the tolerance */
  deviation(
    claimed: Result,
    reference: Result,
    compared: { readonly precisions: readonly (string | undefined)[]; readonly hops: number }
  ): number
}

export interface Examination {
  readonly verdict: Verdict
  /** servers that are to be excluded */
  readonly accused: readonly string[]
  /** several servers whose joint result was wrong: examine each alone to find out which one lied */
  readonly doubted: readonly Hop[]
  readonly deviation: number
  readonly decidedBy: Lie['decidedBy']
}

/** A result with its source. */
interface Answer<Result> {
  readonly result: Result
  /** null: computed here */
  readonly route: readonly Hop[] | null
  readonly precisions: readonly (string | undefined)[]
}

export interface ExaminerComponents {
  readonly caller: AuditCaller
  readonly peers: Pick<Peers, 'otherRoute' | 'dtypeOf' | 'promisedMs' | 'fail' | 'late'>
  readonly own?: Pick<OwnBlocks, 'forward'>
}

const ownPrecision = 'float32'
const ofOwn = { precisions: [ownPrecision], hops: 1 } as const

/** One stretch of blocks, computed again. */
interface Part {
  readonly hidden: Float32Tensor
  readonly precisions: readonly (string | undefined)[]
  /** servers that computed it */
  readonly hops: number
}

/** Time limit of a second result, beyond what routing expects: a first answer may wait for it. */
const leastMs = 5 * second
const factor = 4
/** Maximum number of servers to ask for a second result if some do not answer. */
const mostTries = 2

export class Examiner {
  readonly #components: ExaminerComponents

  constructor(components: ExaminerComponents) {
    this.#components = components
  }

  /** null if no other server can compute it. Throws the errors of the servers that were asked. */
  async examine<Result>(hop: Hop, work: AuditedWork<Result>): Promise<Examination | null> {
    const { dtypeOf } = this.#bound
    const claim: Answer<Result> = { result: work.claimed, route: [hop], precisions: [dtypeOf(hop.peerId)] }
    const asked = new Set([hop.peerId])
    const other = await this.#orOwn(hop, work, () => this.#byOther(hop, work, asked))
    if (other === null) return null
    const deviation = compare(work, claim, other)
    const decidedBy = other.route === null ? 'own blocks' : 'a third server'
    const first = { agrees: deviation <= 1, isOwn: other.route === null }
    if (first.agrees || first.isOwn) {
      const verdict = judge(first, null)
      return { verdict, accused: verdict === 'lied' ? [hop.peerId] : [], doubted: [], deviation, decidedBy }
    }
    for (const { peerId } of other.route!) asked.add(peerId)
    const third = (await this.#byOwn(hop, work)) ?? (await this.#byThird(hop, work, asked))
    if (third === null) return { verdict: judge(first, null), accused: [], doubted: [], deviation, decidedBy }
    const fromClaim = compare(work, claim, third)
    const verdict = judge(first, {
      agreesWithClaim: fromClaim <= 1,
      agreesWithSecond: compare(work, other, third) <= 1,
      isOwn: third.route === null
    })
    return {
      verdict,
      ...accusedBy(verdict, hop, other.route!),
      deviation: verdict === 'reference lied' ? deviation : Math.max(deviation, fromClaim),
      decidedBy: third.route === null ? 'own blocks' : 'a third server'
    }
  }

  /**
   * What comes in and out of each hop by other servers than these, or by us where there are none or they fail; null if
   * neither is possible. Throws what the servers say.
   */
  async along(
    hops: readonly Hop[],
    input: Float32Tensor,
    request: SpanRequest,
    without: ReadonlySet<string>,
    compute: (route: readonly Hop[], from: Float32Tensor, request: SpanRequest) => Promise<Float32Tensor>
  ): Promise<{ hidden: Float32Tensor[]; precisions: (string | undefined)[]; hops: number } | null> {
    const { own } = this.#components
    const states = { hidden: [input], precisions: [] as (string | undefined)[], hops: 0 }
    for (const { blocks, peerId } of hops) {
      const from = states.hidden.at(-1)!
      const route = this.#route(blocks, without, peerId)
      const byServers = async (): Promise<Part | null> => {
        if (route === null) return null
        const hidden = await compute(route, from, { ...request, signal: this.#limit(route, from, request.signal) })
        return { hidden, precisions: route.map(hop => this.#bound.dtypeOf(hop.peerId)), hops: route.length }
      }
      const byOwn = own && (async () => ({ hidden: await own.forward(blocks, from, request), ...ofOwn }))
      const part = await firstOf<Part>(byServers, byOwn, request.signal)
      if (part === null) return null
      states.hidden.push(part.hidden)
      states.precisions.push(...part.precisions)
      states.hops += part.hops
    }
    return states
  }

  get #bound() {
    const { peers } = this.#components
    return { dtypeOf: (peerId: string) => peers.dtypeOf(peerId) }
  }

  #route(blocks: BlockRange, without: ReadonlySet<string>, like: string): readonly Hop[] | null {
    return this.#components.peers.otherRoute(blocks, { mode: 'throughput', without, dtype: this.#bound.dtypeOf(like) })
  }

  /** A time limit for a second result. */
  #limit(route: readonly Hop[], { shape }: Float32Tensor, signal: AbortSignal | undefined): AbortSignal {
    const tokens = shape[0]! * shape[1]!
    const promisedMs = this.#components.peers.promisedMs(route, { mode: 'throughput', tokens })
    const limit = AbortSignal.timeout(Math.ceil(leastMs + factor * promisedMs))
    return signal ? AbortSignal.any([signal, limit]) : limit
  }

  /** null if there is no other. Throws the error of the last one. */
  async #byOther<Result>(
    { blocks, peerId }: Hop,
    work: AuditedWork<Result>,
    without: ReadonlySet<string>
  ): Promise<Answer<Result> | null> {
    const left = new Set(without)
    for (let tries = 1; ; tries++) {
      const route = this.#route(blocks, left, peerId)
      if (route === null) return null
      const precisions = route.map(hop => this.#bound.dtypeOf(hop.peerId))
      try {
        return { result: await work.compute(route, this.#limit(route, work.input, work.signal)), route, precisions }
      } catch (error) {
        throwIfAborted(work.signal)
        const hop = route[0]!
        const isLate = (error as SwarmError).code === 'DEADLINE'
        if (route.length > 1 || tries === mostTries || !(isPeersFault(error) || isLate)) throw error
        if (isLate) this.#components.peers.late(hop.peerId, leastMs)
        else this.#components.peers.fail(hop.peerId, error as SwarmError)
        left.add(hop.peerId)
      }
    }
  }

  /** A third result. null if no server answers: then two differing results are known, which is more than no answer. */
  async #byThird<Result>(
    hop: Hop,
    work: AuditedWork<Result>,
    without: ReadonlySet<string>
  ): Promise<Answer<Result> | null> {
    try {
      return await this.#byOther(hop, work, without)
    } catch {
      throwIfAborted(work.signal)
      return null
    }
  }

  /** By other servers; by our own blocks if there is no other or none answers. */
  #orOwn<Result>(
    hop: Hop,
    work: AuditedWork<Result>,
    byOther: () => Promise<Answer<Result> | null>
  ): Promise<Answer<Result> | null> {
    return firstOf(byOther, work.own && (() => this.#byOwn(hop, work)), work.signal)
  }

  async #byOwn<Result>({ blocks }: Hop, work: AuditedWork<Result>): Promise<Answer<Result> | null> {
    if (work.own === undefined) return null
    return { result: await work.own(blocks), route: null, precisions: [ownPrecision] }
  }
}

function compare<Result>(work: AuditedWork<Result>, one: Answer<Result>, other: Answer<Result>): number {
  const precisions = [...one.precisions, ...other.precisions]
  const hops = Math.max(one.route?.length ?? 1, other.route?.length ?? 1)
  return work.deviation(one.result, other.result, { precisions, hops })
}

/**
 * The servers' result, or our own if there are none or they fail. Throws the servers' error if we cannot compute it.
 */
async function firstOf<T>(
  byServers: () => Promise<T | null>,
  byOwn: (() => Promise<T | null>) | undefined,
  signal: AbortSignal | undefined
): Promise<T | null> {
  try {
    const found = await byServers()
    if (found !== null) return found
  } catch (error) {
    throwIfAborted(signal)
    if (byOwn === undefined) throw error
  }
  return byOwn === undefined ? null : await byOwn()
}

function accusedBy(verdict: Verdict, hop: Hop, second: readonly Hop[]): Pick<Examination, 'accused' | 'doubted'> {
  const isSecondWrong = verdict === 'reference lied' || verdict === 'both lied'
  const wrong = isSecondWrong && second.length === 1 ? [second[0]!.peerId] : []
  return {
    accused: verdict === 'lied' || verdict === 'both lied' ? [hop.peerId, ...wrong] : wrong,
    doubted: isSecondWrong && second.length > 1 ? second : []
  }
}
