// Learns from own calls how much longer than announced the work of servers takes, and which are very late. Knows no
// network.
import { minute, second } from '../../../common/units.ts'
import { type Hop, type RouteServer, routeCost, workMs } from '../routing/route-costs.ts'

/** weight of a new measurement */
const weight = 0.2
/** limits of one measurement, and of the average */
const [leastRatio, mostRatio] = [0.25, 4]
const [leastSlowness, mostSlowness] = [0.5, 50]
/** Timing noise in ms: a server with little work is not slow because of it. */
const noiseMs = 20
/** Load changes: what was learned loses half of its weight in this time. */
const halfLifeMs = 2 * minute
/** A step is late if it takes this many times the promised time, and at least this much longer. */
const lateFactor = 2
const leastLateMs = 0.1 * second
/** Late answers within this time of each other have the same cause. */
const sameLatenessMs = 1 * minute
/** Repeated lateness lasts longer: its half-life doubles at most this many times. */
const maxDoublings = 6

interface Known {
  readonly slowness: number
  readonly at: number
}

interface Late {
  readonly ms: number
  readonly at: number
  /** late answers in a row; one that is in time ends the row */
  readonly times: number
}

export class Experience {
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #late = new Map<string, Late>()
  /** servers whose last step was late: one alone may have compiled a graph or read cold weights */
  readonly #once = new Set<string>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Recent ratio of the server's actual to its announced time; 1 if unknown. */
  slownessOf(peerId: string): number {
    const known = this.#known.get(peerId)
    if (known === undefined) return 1
    return known.slowness ** (0.5 ** ((this.#now() - known.at) / halfLifeMs))
  }

  /** Recent delay of the server in milliseconds; 0 if it was not late. */
  latenessOf(peerId: string): number {
    const late = this.#late.get(peerId)
    if (late === undefined) return 0
    const doublings = Math.min(late.times - 1, maxDoublings)
    const ms = late.ms * 0.5 ** ((this.#now() - late.at) / (halfLifeMs * 2 ** doublings))
    return ms < 1 ? 0 : ms
  }

  /** The server had not answered so long after the time that it promised, and another had. */
  late(peerId: string, ms: number): void {
    const before = this.#late.get(peerId)
    const isSame = before !== undefined && this.#now() - before.at < sameLatenessMs
    const times = (before?.times ?? 0) + (isSame ? 0 : 1)
    this.#late.set(peerId, { ms: Math.max(ms, leastLateMs, this.latenessOf(peerId)), at: this.#now(), times })
  }

  /** The server answered in the time that it promised. */
  inTime(peerId: string): void {
    this.#once.delete(peerId)
    const late = this.#late.get(peerId)
    if (late === undefined) return
    if (late.ms < leastLateMs / 4) this.#late.delete(peerId)
    else this.#late.set(peerId, { ms: this.latenessOf(peerId) / 2, at: this.#now(), times: 1 })
  }

  /**
   * A decode step over a chain took `ms`. It is unknown which of its servers was slow: all count as equally slow, so
   * that another chain is tried and tells them apart.
   * @param servers servers of the route, as routing knows them, with what was learned before
   */
  took(route: readonly Hop[], servers: readonly RouteServer[], ms: number): void {
    const promised = servers.map(server => ({ ...server, lateMs: 0 }))
    const promisedMs = routeCost(route, promised)
    if (ms > lateFactor * promisedMs && ms - promisedMs > leastLateMs) {
      for (const { peerId } of route) {
        if (this.#once.has(peerId)) this.late(peerId, ms - promisedMs)
        this.#once.add(peerId)
      }
      return
    }
    const work = route.reduce((sum, { blocks }, index) => sum + workMs(promised[index]!, blocks.end - blocks.first), 0)
    const observed = Math.max(0, ms - (promisedMs - work))
    const ratio = Math.min(Math.max((observed + noiseMs) / (work + noiseMs), leastRatio), mostRatio)
    for (const { peerId } of route) {
      this.inTime(peerId)
      const slowness = this.slownessOf(peerId) * ratio ** weight
      this.#known.set(peerId, {
        slowness: Math.min(Math.max(slowness, leastSlowness), mostSlowness),
        at: this.#now()
      })
    }
  }
}
