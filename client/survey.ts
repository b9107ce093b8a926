// A survey of a swarm: its models, and what their servers announce and answer. Draws nothing.
import type { BlockRange } from '../common/range.ts'
import { hostAndPort } from '../network/addresses.ts'
import type { Announcement, ServerState, Trip } from '../network/discovery/announcement.ts'
import { findServers } from '../network/discovery/discovery.ts'
import { surveySwarm } from '../network/discovery/survey.ts'
import type { Network } from '../network/network.ts'
import { stateSentence } from '../network/state/sentences.ts'
import { type AnnouncedModel, modelsOf, type SwarmState, swarmState } from '../network/state/swarm-state.ts'
import { protocols } from '../proto/protocols.ts'

/** A server that takes longer counts as silent. */
const answerTimeoutMs = 5000

/** A server's answer about its load. */
export interface ServerLoad {
  /** open generations */
  readonly sessions: number
  /** waiting requests */
  readonly queueLength: number
  /** KV cache in use */
  readonly cacheBytesUsed: number
  /** size of the KV cache */
  readonly cacheBytesTotal: number
  /** activations kept from forward to backward */
  readonly residualBytesUsed: number
  /** most bytes of such activations */
  readonly residualBytesTotal: number
}

/** A server as it announces itself, and as it answers. What it announces is signed by it and not verified. */
export interface SurveyedServer {
  /** its identity */
  readonly peerId: string
  /** the operator's name for it; null: it announces none */
  readonly name: string | null
  /** identity of its model, hex */
  readonly model: string
  /** half-open range of the blocks that it hosts */
  readonly blocks: BlockRange
  /** as announced: `joining`, `online`, `draining`, `paused` */
  readonly state: ServerState
  /** what computes, `CPU, 8 threads`; undefined: it does not say */
  readonly device?: string
  /** where it is, in its operator's words; undefined: it does not say */
  readonly region?: string
  /** precision of its weights */
  readonly dtype: string
  /** decode steps per second through one block */
  readonly decodeRate: number
  /** tokens per second through one block, forward in bulk */
  readonly forwardRate: number
  /** KV cache that was free when it announced itself */
  readonly cacheBytesFree: number
  /** how long decode steps wait for their turn, as announced, in milliseconds */
  readonly queueMs: number
  /** the same of forward and backward requests */
  readonly trainingQueueMs: number
  /** its release of swarmtune */
  readonly version: string
  /** protocols whose versions differ from the first release's, as `inference/3.0.0` */
  readonly protocols: readonly string[]
  /** multiaddrs */
  readonly addresses: readonly string[]
  /** `host:port`, as `initialPeers` and `--join` take it; undefined where it announces none that can be dialed */
  readonly address?: string
  /** round trips that it has measured to servers of the blocks that follow its own, in milliseconds */
  readonly trips: readonly Trip[]
  /** when the announcement expires, milliseconds since 1970 */
  readonly expiresAt: number
  /** null: it did not answer */
  readonly load: ServerLoad | null
  /** round trip from here, in milliseconds; null: not measured, or it did not answer */
  readonly roundTripMs: number | null
}

/** One model of the swarm, and whether it can be used. */
export interface SurveyedModel {
  /** hex */
  readonly identity: string
  /** as most of its servers name it */
  readonly name: string
  /** blocks of the whole model */
  readonly totalBlocks: number
  /** number of the encoder's blocks, which come first; undefined: 0 */
  readonly encoderBlocks?: number
  /** `complete`, or the first obstacle to a generation */
  readonly state: SwarmState
  /** the obstacle and the next thing to try, as sentences; null where it is complete */
  readonly problem: { readonly what: string; readonly next: string } | null
  /** ranges of blocks that no online server hosts */
  readonly missing: readonly BlockRange[]
  /** sorted by first block, then by peer id */
  readonly servers: readonly SurveyedServer[]
}

/** Which servers a survey asks, and for what. */
export interface LookOptions {
  /** false: no pings; default true */
  readonly roundTrips?: boolean
  /** only the servers of this model; default: all models */
  readonly model?: AnnouncedModel
  /** ends the call with the signal's reason */
  readonly signal?: AbortSignal
}

type Asked = Pick<Announcement, 'peerId' | 'addresses' | 'state'>

/** null: no answer. Never throws. */
async function loadOf(
  network: Network,
  { peerId, addresses, state }: Asked,
  signal: AbortSignal | undefined
): Promise<ServerLoad | null> {
  // one that is still loading answers nothing
  if (state === 'joining') return null
  try {
    const asking = { addresses, timeoutMs: answerTimeoutMs, signal }
    const question = { body: { kind: 'infoRequest' as const }, tensors: {} }
    const { body } = await network.request(peerId, protocols.info, question, asking)
    if (body.kind !== 'infoResponse') return null
    const { sessions, queueLength, cacheBytesUsed, cacheBytesTotal, residualBytesUsed, residualBytesTotal } = body
    return { sessions, queueLength, cacheBytesUsed, cacheBytesTotal, residualBytesUsed, residualBytesTotal }
  } catch {
    return null // its row says so
  }
}

/** null: no answer. Never throws. */
async function roundTripOf(
  network: Network,
  { peerId, addresses }: Asked,
  signal: AbortSignal | undefined
): Promise<number | null> {
  const limit = AbortSignal.timeout(answerTimeoutMs)
  try {
    return await network.ping(peerId, { addresses, signal: signal ? AbortSignal.any([signal, limit]) : limit })
  } catch {
    return null
  }
}

async function ask(network: Network, server: Announcement, options: LookOptions): Promise<SurveyedServer> {
  const { roundTrips = true, signal } = options
  const [load, roundTripMs] = await Promise.all([
    loadOf(network, server, signal),
    roundTrips ? roundTripOf(network, server, signal) : null
  ])
  const { serverName, ...announced } = server
  const address = hostAndPort(server.addresses, network.hostOf(server.peerId))
  return {
    ...announced,
    name: serverName ?? null,
    ...(address !== undefined && { address }),
    blocks: { first: server.firstBlock, end: server.endBlock },
    protocols: server.protocols ?? [],
    load,
    roundTripMs
  }
}

/** Ranges of blocks that no online server hosts. */
export function missingRanges(
  totalBlocks: number,
  servers: readonly { readonly blocks: BlockRange; readonly state: string }[]
): BlockRange[] {
  const online = servers.filter(({ state }) => state === 'online').toSorted((a, b) => a.blocks.first - b.blocks.first)
  const ranges: BlockRange[] = []
  let first = 0
  for (const { blocks } of [...online, { blocks: { first: totalBlocks, end: totalBlocks } }]) {
    if (blocks.first > first) ranges.push({ first, end: Math.min(blocks.first, totalBlocks) })
    first = Math.max(first, blocks.end)
  }
  return ranges.filter(({ first, end }) => first < end)
}

/**
 * The models that the swarm serves, sorted by name, each with its servers. Asks all servers at once: one that does not answer within five
 * seconds has no load and no round trip. Throws when `signal` aborts.
 */
export async function surveyModels(network: Network, options: LookOptions = {}): Promise<SurveyedModel[]> {
  const { model, signal } = options
  const found = model
    ? await findServers(network, model.identity, { signal, verify: false })
    : await surveySwarm(network, { signal })
  const servers = await Promise.all(found.map(server => ask(network, server, options)))
  signal?.throwIfAborted()
  const models = [...Map.groupBy(found, server => server.model)].map(([identity, seen]): SurveyedModel => {
    const { name, totalBlocks, encoderBlocks = 0 } = model ?? modelsOf(seen)[0]!
    const sizes = { totalBlocks, ...(encoderBlocks > 0 && { encoderBlocks }) }
    const state = swarmState({
      ...{
        connected: 1,
        swarm: network.swarmName,
        model: { identity, name },
        blocks: { first: 0, end: totalBlocks },
        servers: seen
      },
      needs: ['inference']
    })
    const own = servers
      .filter(server => server.model === identity)
      .sort((a, b) => a.blocks.first - b.blocks.first || a.peerId.localeCompare(b.peerId))
    const problem = state.kind === 'complete' ? null : stateSentence(state, 'sdk')
    return { identity, name, ...sizes, state, problem, missing: missingRanges(totalBlocks, own), servers: own }
  })
  return models.sort((a, b) => a.name.localeCompare(b.name) || a.identity.localeCompare(b.identity))
}
