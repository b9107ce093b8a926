// Chooses a route for each part of a batch, so that all useful servers work at once. Pure: data in, data out.
import type { BlockRange } from '../../../common/range.ts'
import { findRoute, type Hop, type RouteOptions, type RouteServer, visitMs, workMs } from './routing.ts'

/** A route, and how long it occupies each of its servers. */
export interface PlannedRoute {
  readonly hops: readonly Hop[]
  readonly work: readonly { readonly peerId: string; readonly ms: number }[]
}

/**
 * A route for each part, `tokens` long, in sending order: the route with the earliest return, given the parts sent
 * before. So replicas get work in proportion to their rates, and parts follow each other through a chain. The same
 * servers give the same routes. Throws BLOCKS_UNAVAILABLE with the blocks without a server.
 */
export function spreadRoutes(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  tokens: readonly number[],
  options: RouteOptions = {}
): readonly PlannedRoute[] {
  const known = new Map(servers.map(server => [server.peerId, server]))
  const busyUntilMs = new Map(options.busyUntilMs)
  return tokens.map(count => {
    const own = { ...options, mode: 'throughput', tokens: count, busyUntilMs } as const
    const hops = findRoute(servers, blocks, own)
    let at = 0
    const work = hops.map(hop => {
      const server = known.get(hop.peerId)!
      const length = hop.blocks.end - hop.blocks.first
      const ms = workMs(server, length, own)
      const { begins, back } = visitMs(at, server, length, own)
      at = back
      return { peerId: hop.peerId, ms, until: begins + ms }
    })
    for (const { peerId, until } of work) busyUntilMs.set(peerId, until)
    return { hops, work }
  })
}

/** This client's work in flight: remaining milliseconds at each server. */
export class Load {
  readonly #ms = new Map<string, number>()

  get busyUntilMs(): ReadonlyMap<string, number> {
    return this.#ms
  }

  /** Counts the work of a route until the returned function is called. */
  add({ work }: PlannedRoute): () => void {
    for (const { peerId, ms } of work) this.#ms.set(peerId, (this.#ms.get(peerId) ?? 0) + ms)
    return () => {
      for (const { peerId, ms } of work) {
        const left = this.#ms.get(peerId)! - ms
        // no work in flight is exactly 0, despite rounding of the sums
        if (left < 1e-6) this.#ms.delete(peerId)
        else this.#ms.set(peerId, left)
      }
    }
  }
}
