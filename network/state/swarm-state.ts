// Decides the one state that keeps a peer from using a model of a swarm. Pure. The sentences are in sentences.ts.
import type { BlockRange } from '../../common/range.ts'
import type { StackSizes } from '../../common/stack-ranges.ts'
import { type ProtocolName, unspokenOf } from '../../proto/protocols.ts'
import type { Announcement } from '../discovery/announcement.ts'
import { type DialFailure, type DialStep, furthest } from './dial-failure.ts'

export interface ModelName {
  /** identity, hex */
  readonly identity: string
  readonly name: string
}

/** What the decision needs of an announcement. */
export type SeenServer = Pick<Announcement, 'peerId' | 'state' | 'firstBlock' | 'endBlock'> & {
  readonly serverName?: string
  /** its release, and the protocols whose versions differ from the first release */
  readonly version?: string
  readonly protocols?: readonly string[]
  /** of its model, and those of the encoder among them */
  readonly totalBlocks?: number
  readonly encoderBlocks?: number
}

/** A model as its servers announce it. */
export interface AnnouncedModel extends ModelName {
  readonly totalBlocks: number
  /** so many of them, the first ones, are an encoder's; absent: none */
  readonly encoderBlocks?: number
}

/** The value that most have; of equals the one that comes first. */
function mostCommon<T>(values: readonly T[], keyOf: (value: T) => string): T {
  const groups = [...Map.groupBy(values, keyOf).values()]
  return groups.reduce((most, group) => (group.length > most.length ? group : most))[0]!
}

/**
 * The models of announcements, each once, in their order. Where servers contradict each other about a model, what most of them say
 * holds: one that lies changes nothing.
 */
export function modelsOf(
  servers: readonly Pick<Announcement, 'model' | 'modelName' | 'totalBlocks' | 'encoderBlocks'>[]
): AnnouncedModel[] {
  return [...Map.groupBy(servers, ({ model }) => model)].map(([identity, all]) => {
    const keyOf = (each: (typeof all)[number]) => `${each.totalBlocks} ${each.encoderBlocks ?? 0} ${each.modelName}`
    const { modelName: name, totalBlocks, encoderBlocks } = mostCommon(all, keyOf)
    return { identity, name, totalBlocks, ...(encoderBlocks !== undefined && { encoderBlocks }) }
  })
}

/** What a peer knows of its swarm at one moment. */
export interface SwarmKnowledge {
  /** peers that have answered */
  readonly connected: number
  /** addresses to join that were dialed without success */
  readonly dials?: readonly DialFailure[]
  /** how long the LAN was searched by multicast; undefined: multicast is off, or has no name to ask for */
  readonly searchedMs?: number
  /** name of the private swarm; undefined: an open swarm */
  readonly swarm?: string
  /** peer id of this peer */
  readonly self?: string
  /** the requested model; undefined: any */
  readonly model?: ModelName
  /** its blocks that are needed */
  readonly blocks?: BlockRange
  /** servers of the model, in all states; without a model: of any */
  readonly servers?: readonly SeenServer[]
  /** protocols that the asker's requests use; default: none, so that versions do not matter */
  readonly needs?: readonly ProtocolName[]
  /** other models that the swarm serves */
  readonly served?: readonly ModelName[]
}

/** the announced states of a server that holds its blocks and computes nothing for a new request */
export type RestingState = 'paused' | 'joining' | 'draining'

/** The state of a model in a swarm: complete, or the first obstacle. */
export type SwarmState =
  /** no address, no invite with one, no multicast: there is nothing to try */
  | { readonly kind: 'no-way-in'; readonly swarm?: string }
  /** the LAN was searched and no peer of the swarm answered */
  | { readonly kind: 'none-found'; readonly searchedMs: number; readonly swarm?: string; readonly model?: ModelName }
  /** no address became a connection: none answers, or the one that got furthest failed at `step` */
  | {
      readonly kind: 'unreachable' | 'other-secret' | 'other-peer' | 'refused' | 'excluded'
      readonly dials: readonly DialFailure[]
      readonly swarm?: string
      readonly self?: string
    }
  /** peers answer, and no server of any model is announced */
  | { readonly kind: 'no-server'; readonly model?: ModelName; readonly swarm?: string }
  /** the swarm serves other models, or another revision of a model with this name */
  | {
      readonly kind: 'other-model' | 'other-revision'
      readonly model: ModelName
      readonly served: readonly ModelName[]
      readonly swarm?: string
    }
  /** every missing block is held by a server that does not serve now */
  | {
      readonly kind: RestingState
      readonly missing: readonly number[]
      /** where the model has an encoder */
      readonly sizes?: StackSizes
      readonly resting: readonly SeenServer[]
      readonly online: number
      readonly model?: ModelName
      readonly swarm?: string
    }
  /** every missing block is held by an online server that speaks another version of a protocol */
  | {
      readonly kind: 'other-version'
      readonly missing: readonly number[]
      /** where the model has an encoder */
      readonly sizes?: StackSizes
      readonly others: readonly SeenServer[]
      readonly needs: readonly ProtocolName[]
      readonly model?: ModelName
    }
  /** no server holds these blocks */
  | {
      readonly kind: 'incomplete'
      /** blocks that no online server holds */
      readonly missing: readonly number[]
      /** where the model has an encoder */
      readonly sizes?: StackSizes
      /** servers that host some of them but do not serve now */
      readonly resting: readonly SeenServer[]
      readonly online: number
      readonly model?: ModelName
      readonly swarm?: string
    }
  | { readonly kind: 'complete' }

export type SwarmStateKind = SwarmState['kind']

const kindOfStep = {
  dead: 'unreachable',
  silent: 'unreachable',
  handshake: 'other-secret',
  identity: 'other-peer',
  refused: 'refused',
  excluded: 'excluded'
} as const satisfies Record<DialStep, SwarmStateKind>

const restingStates: readonly RestingState[] = ['paused', 'joining', 'draining']

const holds = (block: number) => (server: SeenServer) => server.firstBlock <= block && block < server.endBlock

/** Blocks of the range that no online server holds. */
function missingBlocks(servers: readonly SeenServer[], blocks: BlockRange): number[] {
  const online = servers.filter(({ state }) => state === 'online')
  const range = Array.from({ length: blocks.end - blocks.first }, (_, index) => blocks.first + index)
  return range.filter(block => !online.some(holds(block)))
}

/** The stacks of the model, as most of its servers announce them; undefined where it has no encoder. */
function sizesOfServers(servers: readonly SeenServer[]): StackSizes | undefined {
  const { totalBlocks = 0, encoderBlocks = 0 } = mostCommon(
    servers,
    each => `${each.totalBlocks} ${each.encoderBlocks}`
  )
  return encoderBlocks > 0 ? { totalBlocks, encoderBlocks } : undefined
}

/** Whether and why the servers of one model cannot compute its blocks. */
function stateOfServers(
  servers: readonly SeenServer[],
  blocks: BlockRange,
  { model, swarm, needs = [] }: Pick<SwarmKnowledge, 'model' | 'swarm' | 'needs'>
): SwarmState {
  const spoken = servers.filter(({ protocols }) => unspokenOf(needs, protocols).length === 0)
  const missing = missingBlocks(spoken, blocks)
  if (missing.length === 0) return { kind: 'complete' }
  const sizes = sizesOfServers(servers)
  const stacks = sizes && { sizes }
  const others = servers.filter(
    server => server.state === 'online' && !spoken.includes(server) && missing.some(block => holds(block)(server))
  )
  if (missing.every(block => others.some(holds(block)))) {
    return { kind: 'other-version', missing, ...stacks, others, needs, ...(model && { model }) }
  }
  const online = servers.filter(({ state }) => state === 'online').length
  const resting = servers.filter(
    server => (restingStates as readonly string[]).includes(server.state) && missing.some(block => holds(block)(server))
  )
  const named = { ...(model && { model }), ...(swarm !== undefined && { swarm }) }
  const found = { missing, ...stacks, resting, online, ...named }
  if (!missing.every(block => resting.some(holds(block)))) return { kind: 'incomplete', ...found }
  // paused is the most informative state, because it lasts until an operator or a schedule ends it
  return { kind: restingStates.find(state => resting.some(server => server.state === state))!, ...found }
}

/** The first obstacle between this peer and its model, nearest first. */
export function swarmState(known: SwarmKnowledge): SwarmState {
  const { connected, dials = [], searchedMs, swarm, self, model, blocks, servers = [], served = [], needs } = known
  const named = { ...(swarm !== undefined && { swarm }) }
  if (connected === 0) {
    if (dials.length > 0) {
      const kind = kindOfStep[furthest(dials.map(({ step }) => step))]
      return { kind, dials, ...named, ...(self !== undefined && { self }) }
    }
    if (searchedMs === undefined) return { kind: 'no-way-in', ...named }
    return { kind: 'none-found', searchedMs, ...named, ...(model && { model }) }
  }
  if (servers.length > 0) return stateOfServers(servers, blocks ?? { first: 0, end: 0 }, { model, swarm, needs })
  const others = served.filter(({ identity }) => identity !== model?.identity)
  if (model === undefined || others.length === 0) return { kind: 'no-server', ...(model && { model }), ...named }
  const isRevision = others.some(({ name }) => name === model.name)
  return { kind: isRevision ? 'other-revision' : 'other-model', model, served: others, ...named }
}
