// Which servers a request passes through: the cheapest chain of spans that covers a range of blocks. Pure: data in,
// data out.
import { SwarmError } from '../../../common/errors.ts'
import { plural } from '../../../common/plural.ts'
import { type BlockRange, formatBlocks } from '../../../common/range.ts'
import { startCommand } from '../../../network/state/sentences.ts'
import { undominated } from './dominated.ts'
import { type Hop, isChained, type RouteOptions, type RouteServer } from './route-costs.ts'
import { searchRoute } from './route-search.ts'

export * from './route-costs.ts'

function unavailable(blocks: BlockRange, usable: readonly RouteServer[], seen: number): SwarmError {
  const missing: number[] = []
  for (let block = blocks.first; block < blocks.end; block++) {
    if (!usable.some(server => server.blocks.first <= block && block < server.blocks.end)) missing.push(block)
  }
  const servers = `${plural(seen, 'server')} of this model seen`
  const left = seen > usable.length ? `, ${seen - usable.length} of them excluded after failures` : ''
  return new SwarmError(
    'BLOCKS_UNAVAILABLE',
    `no server for block${missing.length === 1 ? '' : 's'} ${formatBlocks(missing)} (${servers}${left}); start one with '${startCommand(missing)}'`
  )
}

/** The same route with neighbouring hops of one server as one. */
function joined(route: readonly Hop[]): readonly Hop[] {
  const hops: Hop[] = []
  for (const hop of route) {
    const last = hops.at(-1)
    if (last?.peerId !== hop.peerId) hops.push(hop)
    else hops[hops.length - 1] = { peerId: hop.peerId, blocks: { first: last.blocks.first, end: hop.blocks.end } }
  }
  return hops
}

/** The hops between two visits to one server; empty if there are none. */
function betweenVisits(route: readonly Hop[]): readonly string[] {
  for (const [index, { peerId }] of route.entries()) {
    const again = route.findIndex((hop, later) => later > index && hop.peerId === peerId)
    if (again !== -1) return route.slice(index + 1, again).map(hop => hop.peerId)
  }
  return []
}

/**
 * The cheapest chain of hops through `blocks`; work grows with the sum of the spans' lengths of those servers that are
 * not worse than others in everything. Of more than a few hundred servers with measured trips to each other some are
 * left out that only a very short trip would make the best. If a server would occur twice, the hops between are
 * dropped, which may cost slightly more than the optimum. Throws BLOCKS_UNAVAILABLE with the blocks without a server.
 */
export function findRoute(
  servers: readonly RouteServer[],
  blocks: BlockRange,
  options: RouteOptions = {}
): readonly Hop[] {
  let usable = servers.filter(server => !options.excluded?.has(server.peerId))
  for (;;) {
    const found = searchRoute(undominated(usable, blocks, options), blocks, options)
    if (found === null) throw unavailable(blocks, usable, servers.length)
    const route = isChained(options) ? joined(found) : found
    const between = isChained(options) ? betweenVisits(route) : []
    if (between.length === 0) return route
    usable = usable.filter(({ peerId }) => !between.includes(peerId))
  }
}
