// What own calls say of servers: how many times longer than announced their work takes. Knows no network.
import { minute } from '../../common/units.ts'
import { type Hop, type RouteServer, routeCost, workMs } from './route-costs.ts'

/** of a step, how much of what is new is believed */
const weight = 0.2
/** what one step may say at most, and all of them together */
const [leastRatio, mostRatio] = [0.25, 4]
const [leastSlowness, mostSlowness] = [0.5, 50]
/** Times are not exact to so much: a server of little work is not slow because of it. */
const noiseMs = 20
/** Load changes: what was learned loses half of its weight in this time. */
const halfLifeMs = 2 * minute

export class Experience {
  readonly #now: () => number
  readonly #known = new Map<string, { readonly slowness: number; readonly at: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** How many times longer than announced the server's work took lately; 1 where nothing is known. */
  slownessOf(peerId: string): number {
    const known = this.#known.get(peerId)
    if (known === undefined) return 1
    return known.slowness ** (0.5 ** ((this.#now() - known.at) / halfLifeMs))
  }

  /**
   * A decode step over a chain took `ms`. Which of its servers was slow nobody says: all are taken to be, in equal measure, so that
   * another chain is tried and tells them apart.
   * @param servers those of the route, as routing knows them, what was learned before included
   */
  took(route: readonly Hop[], servers: readonly RouteServer[], ms: number): void {
    const work = route.reduce((sum, { blocks }, index) => sum + workMs(servers[index]!, blocks.end - blocks.first), 0)
    const others = routeCost(route, servers) - work
    const observed = Math.max(0, ms - others)
    const ratio = Math.min(Math.max((observed + noiseMs) / (work + noiseMs), leastRatio), mostRatio)
    for (const { peerId } of route) {
      const slowness = this.slownessOf(peerId) * ratio ** weight
      this.#known.set(peerId, {
        slowness: Math.min(Math.max(slowness, leastSlowness), mostSlowness),
        at: this.#now()
      })
    }
  }
}
