// The shared flags with which a command finds and joins its swarm, and their meaning.
import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { toMultiaddrs } from '../../network/addresses.ts'
import type { FoundPeer, NetworkInit } from '../../network/network.ts'
import { type AllowList, parseAllowList } from '../../network/private/allow-list.ts'
import type { Invite } from '../../network/private/invite.ts'
import { membership } from '../../network/private/membership.ts'
import { asUsage, UsageError } from '../errors/usage.ts'
import { resolveSwarm } from '../peer/swarms.ts'
import { screen } from '../terminal/terminal.ts'
import { joinOption } from './options.ts'

/** peers found on the LAN that are named one by one */
const maxSaid = 4

export interface AccessFlags {
  join?: string[]
  swarm?: string
  allow?: string[]
  mdns: boolean
  lan?: boolean
  /** false is for peers that listen: `--no-identity` */
  identity?: string | false
}

/** Adds --join, --swarm, --allow, --lan and --no-mdns, and for clients --identity, which peers that listen have of their own. */
export function addAccessOptions(command: Command, { listens = false } = {}): Command {
  command
    .optionsGroup('Swarm:')
    .addOption(joinOption())
    .addOption(
      new Option(
        '--swarm <invite or name>',
        'private swarm: an invite (swarm1…) or a name of swarm init (default: none)'
      ).env('SWARM_INVITE')
    )
    .option(
      '--allow <peer id or file...>',
      'allow-list: deal only with these peers; a file has lines <peer id> [client|server] (default: all)'
    )
    .option('--lan', 'look for peers on the LAN even if --join names addresses (default: only if it names none)')
    .option('--no-mdns', 'turn multicast off: neither find peers on the LAN nor be found by them')
  if (!listens)
    command.option(
      '--identity <file>',
      'file of the peer identity, for servers with --allow (default: a new identity each time)'
    )
  return command
}

/** The list that --allow gives; each value is a peer id or a file. */
async function readAllowList(values: readonly string[]): Promise<AllowList> {
  const lists = values.map(async value => {
    if (/^(12D3Koo|16Uiu2HA|Qm)\w+$/.test(value)) return parseAllowList(value, '--allow')
    try {
      return parseAllowList(await readFile(value, 'utf8'), value)
    } catch (cause) {
      if (cause instanceof SwarmError) throw cause
      const message = `--allow ${value}: neither a peer id nor a file that can be read (${messageOf(cause)})`
      throw new SwarmError('INVALID_ARGUMENT', message, { cause })
    }
  })
  return new Map((await Promise.all(lists)).flatMap(list => [...list]))
}

export interface Access {
  readonly invite?: Invite
  readonly allow?: AllowList
  /** undefined: as `membership` decides */
  readonly multicast?: boolean
  readonly join: readonly string[]
  /** of a client */
  readonly identityPath?: string
}

/** What the flags say, with files read. Throws UsageError, NOT_FOUND. */
export async function readAccess(flags: AccessFlags): Promise<Access> {
  return await asUsage(() => access(flags))
}

async function access(flags: AccessFlags): Promise<Access> {
  if (flags.lan && !flags.mdns) {
    throw new UsageError('--lan looks for peers by multicast, --no-mdns forbids it: leave one out')
  }
  // one variable or argument may hold several
  const join = (flags.join ?? []).flatMap(text => text.split(/[\s,]+/).filter(address => address !== ''))
  toMultiaddrs(join, 'join address') // what is no address is said before anything is opened
  return {
    join,
    ...(flags.swarm !== undefined && { invite: await resolveSwarm(flags.swarm) }),
    ...(flags.allow && { allow: await readAllowList(flags.allow) }),
    ...(flags.lan && { multicast: true }),
    ...(!flags.mdns && { multicast: false }),
    ...(flags.identity && { identityPath: flags.identity })
  }
}

/** Prints the peers that were found on the LAN, which the user did not name, to standard error. */
function sayFound(): (peer: FoundPeer) => void {
  let said = 0
  return ({ peerId, address }) => {
    said++
    if (said <= maxSaid) screen.notice(`found ${peerId} at ${address} on the LAN`)
    if (said === maxSaid + 1) screen.notice('found more peers on the LAN: --verbose names them')
  }
}

/** For `createNetwork`. @param model identity of the model that is served or asked for, where there is one */
export function networkAccess(
  { invite, allow, identityPath: _, ...access }: Access,
  init: { model?: string; anyModel?: boolean; listen?: readonly string[] } = {}
): Pick<NetworkInit, 'join' | 'secret' | 'swarmName' | 'multicastTag' | 'answerTag' | 'allow' | 'onFound'> {
  return { ...membership({ swarm: invite, ...access, ...init }), ...(allow && { allow }), onFound: sayFound() }
}

/** For `fromPretrained`. */
export async function clientAccess(flags: AccessFlags): Promise<{
  initialPeers: readonly string[]
  swarm?: Invite
  allow?: AllowList
  multicast?: boolean
  identityPath?: string
  onFound: (peer: FoundPeer) => void
}> {
  const { join, invite, ...access } = await readAccess(flags)
  return { initialPeers: join, ...(invite && { swarm: invite }), ...access, onFound: sayFound() }
}
