// The swarm as the page draws it: a survey, and the servers that an earlier one had. Pure.

import type { SurveyedModel, SurveyedServer } from '../../client/index.ts'
import { listBlocks } from '../../common/stack-ranges.ts'

/** `silent`: it is announced as online and does not answer; `gone`: it is announced no more. */
export type ViewState = SurveyedServer['state'] | 'silent' | 'gone'

/** A server as the page draws it. */
export type ViewServer = Omit<SurveyedServer, 'state' | 'protocols' | 'expiresAt' | 'model'> & {
  readonly state: ViewState
  /** when it was last announced, Unix time in milliseconds */
  readonly seen: number
}

/** A model as the page draws it. */
export interface ViewModel {
  readonly identity: string
  readonly name: string
  readonly totalBlocks: number
  /** number of the encoder's blocks, which come first; absent: 0 */
  readonly encoderBlocks?: number
  /** every block has an online server that answers */
  readonly complete: boolean
  readonly problem: { readonly what: string; readonly next: string } | null
  /** how many servers compute each block */
  readonly replicas: readonly number[]
  readonly servers: readonly ViewServer[]
}

export interface SwarmView {
  /** Unix time of the survey, in milliseconds */
  readonly at: number
  /** why the last survey failed; the models are then those of the one before */
  readonly failure: string | null
  readonly models: readonly ViewModel[]
}

/** how long a server stays on the map after it has left */
const goneMs = 10 * 60_000
/** servers that have left, of one model: the newest */
const mostGone = 50

function toServer({ protocols: _, expiresAt: __, model: ___, ...server }: SurveyedServer, at: number): ViewServer {
  const silent = server.state === 'online' && server.load === null
  return { ...server, state: silent ? 'silent' : server.state, seen: at }
}

function replicasOf(totalBlocks: number, servers: readonly ViewServer[]): number[] {
  const counts = new Array<number>(totalBlocks).fill(0)
  for (const { state, blocks } of servers) {
    if (state !== 'online') continue
    for (let block = blocks.first; block < Math.min(blocks.end, totalBlocks); block++) counts[block]!++
  }
  return counts
}

/** Blocks without a server: `4, 7-9`, `encoder 4, decoder 0-1`. */
function missingText(replicas: readonly number[], encoderBlocks?: number): string {
  const missing = [...replicas.keys()].filter(block => replicas[block] === 0)
  return listBlocks({ totalBlocks: replicas.length, encoderBlocks }, missing).replaceAll('..', '-')
}

/** The problem of a model whose servers announce all blocks but do not answer. */
function silence(replicas: readonly number[], encoderBlocks?: number): ViewModel['problem'] {
  return {
    what: `No server that answers hosts blocks ${missingText(replicas, encoderBlocks)}.`,
    next: 'Start a server of these blocks, or wait until the silent one answers again.'
  }
}

/** @param at Unix time in milliseconds */
export function toView(models: readonly SurveyedModel[], previous: SwarmView | null, at: number): SwarmView {
  const before = new Map(previous?.models.map(model => [model.identity, model]))
  const found = new Map(models.map(model => [model.identity, model]))
  const identities = [...found.keys(), ...[...before.keys()].filter(identity => !found.has(identity))]
  const views = identities.map((identity): ViewModel => {
    const now = found.get(identity)
    const { name, totalBlocks, encoderBlocks } = now ?? before.get(identity)!
    const servers = now?.servers.map(server => toServer(server, at)) ?? []
    const here = new Set(servers.map(({ peerId }) => peerId))
    const gone = (before.get(identity)?.servers ?? [])
      .filter(({ peerId, seen }) => !here.has(peerId) && at - seen < goneMs)
      .toSorted((a, b) => b.seen - a.seen)
      .slice(0, mostGone)
      .map((server): ViewServer => ({ ...server, state: 'gone', load: null, roundTripMs: null }))
    const all = [...servers, ...gone].sort(
      (a, b) => a.blocks.first - b.blocks.first || a.peerId.localeCompare(b.peerId)
    )
    const replicas = replicasOf(totalBlocks, all)
    const complete = replicas.every(count => count > 0)
    const problem = now?.problem ?? (complete ? null : silence(replicas, encoderBlocks))
    const sizes = { totalBlocks, ...(encoderBlocks !== undefined && { encoderBlocks }) }
    return { identity, name, ...sizes, complete: complete && problem === null, problem, replicas, servers: all }
  })
  return { at, failure: null, models: views.filter(({ servers }) => servers.length > 0) }
}
