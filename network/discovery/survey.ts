// Lists all models of a swarm, by asking peers for their directories until there is nothing new.
import type { Announcement } from './announcement.ts'
import { findServers, type Seeker } from './discovery.ts'
import { askDirectory } from './gossip.ts'

export interface SurveyOptions {
  readonly signal?: AbortSignal
}

/**
 * Number of concurrent requests, and of rounds: servers keep only the records of their own model, so each model is
 * asked.
 */
const peersPerRound = 8
const maxRounds = 6

/** Interleaves the groups: the first of each, then the second of each. */
function inTurns<T>(groups: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...groups.map(group => group.length))
  return Array.from({ length: longest }, (_, place) => groups.flatMap(group => group[place] ?? [])).flat()
}

/**
 * The servers of all models, freshest announcement of each. Begins as `findServers` does; then asks servers for all that they
 * know, models in turns, until a round of questions brings no server that is new, at most 48 questions. Throws when `signal`
 * aborts.
 */
export async function surveySwarm(network: Seeker, { signal }: SurveyOptions = {}): Promise<Announcement[]> {
  await findServers(network, '', { ...(signal && { signal }), verify: false })
  const asked = new Set([network.peerId])
  const known = () => network.directory.list().filter(server => server.peerId !== network.peerId)
  for (let round = 0; round < maxRounds; round++) {
    const before = new Set(known().map(({ peerId }) => peerId))
    const groups = [...Map.groupBy(known(), ({ model }) => model).values()]
    const next = inTurns(groups.map(group => group.filter(({ peerId }) => !asked.has(peerId)))).slice(0, peersPerRound)
    for (const { peerId } of next) asked.add(peerId)
    // a server that does not answer is one of several
    await Promise.allSettled(
      next.map(({ peerId, addresses }) => askDirectory(network, peerId, '', { addresses, ...(signal && { signal }) }))
    )
    signal?.throwIfAborted()
    if (known().every(({ peerId }) => before.has(peerId))) break
  }
  return known()
}
