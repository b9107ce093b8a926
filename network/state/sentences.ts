// The messages for each state of a swarm: the cause and the next step. One table for the SDK, which speaks of options,
// and for the command line, which speaks of flags.
import { plural } from '../../common/plural.ts'
import { formatTyped, listBlocks, type StackSizes } from '../../common/stack-ranges.ts'
import { second } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { describeServerVersions, unspokenOf } from '../../proto/protocols.ts'
import type { DialFailure } from './dial-failure.ts'
import type { ModelName, RestingState, SeenServer, SwarmState, SwarmStateKind } from './swarm-state.ts'

/** Who reads the sentence: a developer, or a person at a terminal. */
export type Voice = 'sdk' | 'cli'

/** The cause, and the next step. */
export interface StateSentence {
  readonly what: string
  readonly next: string
}

/** How each voice names the settings. */
const words = {
  cli: {
    join: '--join <host:port>',
    invite: '--swarm <invite>',
    allow: '--allow',
    multicast: 'leave out --no-mdns',
    identity: '--identity <file>',
    revision: '--revision',
    fromPeers: '--from-peers'
  },
  sdk: {
    join: "the option 'initialPeers'",
    invite: "the option 'swarm'",
    allow: "the option 'allow'",
    multicast: "leave out 'multicast: false'",
    identity: "the option 'identityPath'",
    revision: "the option 'hub.revision'",
    fromPeers: "the option 'fromPeers'"
  }
} as const satisfies Record<Voice, Record<string, string>>

type Words = (typeof words)[Voice]

/** The state of a kind, whose member of the union may have other kinds too. */
type Of<Kind extends SwarmStateKind, State = SwarmState> = State extends SwarmState
  ? [Kind] extends [State['kind']]
    ? State & { readonly kind: Kind }
    : never
  : never

const describeModel = ({ name, identity }: ModelName): string => `${name} (${identity.slice(0, 8)})`

/** The model as an argument: a name of the hub as it is; of other models only the name is known here, and not where they are. */
function argumentOf(model: ModelName | undefined): string {
  if (model === undefined) return '<model>'
  return model.name.includes('/') ? model.name : `<path of ${model.name}>`
}

/** How another machine gets into the swarm. @param swarm name of the private swarm; undefined: an open one */
const wayIn = (swarm: string | undefined): string => (swarm === undefined ? '--join <address>' : '--swarm <invite>')

/** models and servers that a sentence names */
const mostNamed = 4

function listed(all: readonly string[]): string {
  const rest = all.length > mostNamed ? [`and ${all.length - mostNamed} more`] : []
  return [...all.slice(0, mostNamed), ...rest].join(', ')
}

function lines(dials: readonly DialFailure[]): string {
  return dials.map(({ address, reason }) => `\n  ${address}: ${reason}`).join('')
}

const describeServer = ({ peerId, serverName }: SeenServer): string =>
  serverName === undefined ? `…${peerId.slice(-8)}` : `${serverName} (…${peerId.slice(-8)})`

const nameSwarm = (swarm: string): string => (swarm === '' ? 'this private swarm' : `swarm '${swarm}'`)

const blocksOf = (missing: readonly number[], sizes: StackSizes = { totalBlocks: 0 }): string =>
  `block${missing.length === 1 ? '' : 's'} ${listBlocks(sizes, missing)}`

/** The model, and the private swarm, of a state. */
interface Where {
  readonly model?: ModelName
  readonly swarm?: string
  readonly sizes?: StackSizes
}

/** The command that starts a server of the first run of missing blocks; servers are not started by the SDK. */
export function startCommand(
  missing: readonly number[],
  { model, swarm, sizes = { totalBlocks: 0 } }: Where = {}
): string {
  const first = missing[0]!
  const past = missing.findIndex((block, index) => block !== first + index)
  const end = past === -1 ? missing.at(-1)! + 1 : first + past
  const blocks = formatTyped(sizes, { first, end }).replaceAll(' ', ' --blocks ')
  return `swarm serve ${argumentOf(model)} --blocks ${blocks} ${wayIn(swarm)}`
}

const restingWords: Record<RestingState, string> = { paused: 'paused', joining: 'still loading', draining: 'leaving' }

/** `attic (…1a2b3c4d) is paused`, for each. */
const tellResting = (resting: readonly SeenServer[]): string =>
  listed(resting.map(server => `${describeServer(server)} is ${restingWords[server.state as RestingState]}`))

function restingSentence(
  { kind, missing, sizes, resting, online, model }: Of<RestingState>,
  next: string
): StateSentence {
  const where = `${blocksOf(missing, sizes)}${model ? ` of ${describeModel(model)}` : ''}`
  const isOneKind = resting.every(({ state }) => state === kind)
  const servers = resting.length === 1 ? `the only server of ${where} is` : `the servers of ${where} are`
  const what = isOneKind
    ? `${servers} ${restingWords[kind]}: ${listed(resting.map(describeServer))}`
    : `no server of ${where} serves now: ${tellResting(resting)}`
  const others = online > 0 ? `; ${plural(online, 'server')} of other blocks ${online === 1 ? 'is' : 'are'} online` : ''
  return { what: what + others, next }
}

/** Other servers that hold some of the missing blocks. */
function alsoResting(resting: readonly SeenServer[]): string {
  if (resting.length === 0) return ''
  return `; of the servers that hold some of them ${tellResting(resting)}`
}

const table = {
  'no-way-in': ({ swarm }, { join, invite, multicast }) =>
    swarm === undefined
      ? {
          what: 'no way into a swarm: no address, no invite, and no model to look for on the LAN',
          next: `name a peer with ${join}, or a private swarm with ${invite}`
        }
      : {
          what: `no way into ${nameSwarm(swarm)}: its invite has no address, and multicast is off`,
          next: `name a peer with ${join}, use the invite that a running server prints, or ${multicast}`
        },
  'none-found': ({ swarm, model, searchedMs }, { join }) => {
    const whose = swarm !== undefined ? ` of ${nameSwarm(swarm)}` : model ? ` that serves ${describeModel(model)}` : ''
    return {
      what: `no peer${whose} answers on this LAN (searched by multicast for ${Math.round(searchedMs / second)} s)`,
      next: `start one with 'swarm serve ${argumentOf(model)}${swarm ? ` --swarm ${swarm}` : ''}', or name a peer elsewhere with ${join}; 'swarm doctor' checks multicast`
    }
  },
  unreachable: ({ dials }) => ({
    what: `no peer to join answers:${lines(dials)}`,
    next: "start a peer there ('swarm serve' and 'swarm bootstrap' print their addresses), or correct the address; 'swarm doctor --join <address>' checks it"
  }),
  'other-secret': ({ dials, swarm }, { invite }) =>
    swarm === undefined
      ? {
          what: `no peer to join is a peer of an open swarm:${lines(dials)}`,
          next: `a private swarm lets a peer in with its invite only: ${invite}; otherwise check that a swarmtune peer uses this port`
        }
      : {
          what: `no peer to join is in ${nameSwarm(swarm)}:${lines(dials)}`,
          next: 'both sides need the secret of the same invite: take the newest one from a member, the secret may have been replaced'
        },
  'other-peer': ({ dials }) => ({
    what: `another peer answers at the address to join:${lines(dials)}`,
    next: 'use the address that the peer prints now, or leave out its part /p2p/<peer id>'
  }),
  refused: ({ dials, self }, { identity }) => ({
    what: `a peer to join refuses this one, probably by its allow-list:${lines(dials)}`,
    next: `ask its operator to allow ${self === undefined ? 'your peer id' : `${self}`} (--allow); ${identity} keeps the peer id of a client, 'swarm id --identity <file>' prints it`
  }),
  excluded: ({ dials }, { allow }) => ({
    what: `the allow-list of this peer does not name the peer to join:${lines(dials)}`,
    next: `add its peer id to ${allow}`
  }),
  'no-server': ({ model, swarm }) => ({
    what: model
      ? `no server of ${describeModel(model)} is known in the swarm, nor of another model`
      : 'no server is known in the swarm',
    next: `start one with 'swarm serve ${argumentOf(model)} ${wayIn(swarm)}'`
  }),
  'other-model': ({ model, served, swarm }) => ({
    what: `no server of ${describeModel(model)}; the swarm serves ${listed(served.map(describeModel))}`,
    next: `use a model that the swarm serves, or start a server with 'swarm serve ${argumentOf(model)} ${wayIn(swarm)}'`
  }),
  'other-revision': ({ model, served }, { revision, fromPeers }) => ({
    what: `no server of ${describeModel(model)}; the swarm serves ${listed(served.map(describeModel))}: another revision or conversion`,
    next: `use the same checkpoint and revision as the servers (${revision}), or take it from them (${fromPeers})`
  }),
  paused: state =>
    restingSentence(
      state,
      "wait for its schedule, resume it ('kill -USR2 <pid>' on its machine), or start another with " +
        `'${startCommand(state.missing, state)}'`
    ),
  joining: state => restingSentence(state, "try again in a minute; 'swarm status --watch' shows when it is online"),
  draining: state => restingSentence(state, `start another server with '${startCommand(state.missing, state)}'`),
  'other-version': ({ missing, sizes, others, needs, model }) => ({
    what: `no server of ${blocksOf(missing, sizes)}${model ? ` of ${describeModel(model)}` : ''} speaks a version of this build: ${listed(
      others.map(server => {
        const { version: theirs = '', protocols } = server
        const versions = describeServerVersions({ version: theirs, protocols }, unspokenOf(needs, protocols), version)
        return `${describeServer(server)} ${versions}`
      })
    )}`,
    next: 'update the older of the two'
  }),
  incomplete: ({ missing, online, resting, ...where }) => ({
    what: `no server for ${blocksOf(missing, where.sizes)} (${plural(online, 'server')} of this model seen${alsoResting(resting)})`,
    next: `start one with '${startCommand(missing, where)}'`
  }),
  complete: () => ({ what: 'every block is served', next: '' })
} as const satisfies { [Kind in SwarmStateKind]: (state: Of<Kind>, words: Words) => StateSentence }

/** The sentences of a state, without a final full stop; `next` is empty if there is nothing to do. */
export function stateSentence(state: SwarmState, voice: Voice): StateSentence {
  const sentence = table[state.kind] as (state: SwarmState, words: Words) => StateSentence
  return sentence(state, words[voice])
}

/** Both sentences as one message. */
export function describeState(state: SwarmState, voice: Voice): string {
  const { what, next } = stateSentence(state, voice)
  if (next === '') return what
  return what.includes('\n') ? `${what}\n${next}` : `${what}; ${next}`
}
