// swarm init: makes a private swarm, keeps its secret, prints the invite. Also rotates the secret and stores invites.

import { Command, Option } from 'commander'
import { SwarmError } from '../../common/errors.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { toMultiaddrs } from '../../network/addresses.ts'
import { formatInvite, generateSecret, looksLikeInvite, parseInvite } from '../../network/private/invite.ts'
import { asUsage } from '../errors/usage.ts'
import { hubOptions } from '../options/hub.ts'
import { jsonOption } from '../options/options.ts'
import { listSwarms, readSwarm, type StoredSwarm, swarmPath, writeSwarm } from '../peer/swarms.ts'
import { print } from '../terminal/terminal.ts'

interface InitFlags {
  model?: string
  peer?: string[]
  rotate?: boolean
  show?: boolean
  json?: boolean
}

export function initCommand(): Command {
  return new Command('init')
    .description('make a private swarm, and print the invite that lets machines join it')
    .argument('<name or invite>', 'name of the new swarm, or an invite (swarm1…) to store under its name')
    .option(
      '--model <path>',
      'the only checkpoint of this swarm: peers with another model get an error (default: any model)'
    )
    .option(
      '--peer <address...>',
      'addresses in the invite to join by, host:port or multiaddr (default: none; a LAN needs none)'
    )
    .addOption(
      new Option('--rotate', 'replace the secret: prints a new invite; the old one no longer works').conflicts('show')
    )
    .option('--show', 'print the invite again')
    .addOption(jsonOption())
    .action(init)
}

/** The swarm as the flags want it, written where that changes anything. */
async function prepare(text: string, flags: InitFlags): Promise<StoredSwarm> {
  const now = new Date().toISOString()
  const given = looksLikeInvite(text) ? parseInvite(text) : undefined
  const name = given?.name ?? text
  await asUsage(() => swarmPath(name)) // refuses what cannot be a name
  const exists = (await listSwarms()).includes(name)
  const changes = {
    ...(flags.peer && { peers: toMultiaddrs(flags.peer, '--peer') }),
    ...(flags.model !== undefined && { model: await modelOf(flags.model) })
  }
  const changed = Object.keys(changes).length > 0
  if (!exists && (flags.rotate || flags.show)) await readSwarm(name) // says that there is none
  const known = exists ? await readSwarm(name) : undefined
  let next: StoredSwarm
  if (given) {
    if (known && !Buffer.from(known.invite.secret).equals(given.secret) && !flags.rotate) {
      const hint = `swarm init --rotate '<invite>' takes the invite's secret instead`
      throw new SwarmError('INVALID_ARGUMENT', `swarm '${name}' is kept here with another secret: ${hint}`)
    }
    next = { created: known?.created ?? now, invite: { ...given, ...changes } }
  } else if (!known) {
    next = { created: now, invite: { name, secret: generateSecret(), peers: [], ...changes } }
  } else if (flags.rotate) {
    next = { ...known, rotated: now, invite: { ...known.invite, ...changes, secret: generateSecret() } }
  } else if (changed || flags.show) {
    if (!changed) return known
    next = { ...known, invite: { ...known.invite, ...changes } }
  } else next = known // is refused, since it is there
  await writeSwarm(next, { isNew: !exists || next === known })
  return next
}

async function modelOf(path: string): Promise<{ identity: string; name: string }> {
  const { identity, name } = await openCheckpoint(path, { hub: hubOptions({}), blocksOnly: true })
  return { identity, name }
}

async function init(text: string, flags: InitFlags): Promise<void> {
  const { invite } = await prepare(text, flags)
  const { name, peers, model } = invite
  const line = formatInvite(invite)
  if (flags.json) {
    print(JSON.stringify({ name, invite: line, peers, model: model ?? null, file: swarmPath(name) }))
    return
  }
  const of = model ? ` for ${model.name} (${model.identity.slice(0, 8)})` : ''
  print(`swarm '${name}'${of}, kept in ${swarmPath(name)}`)
  if (flags.rotate)
    print('The secret is new: restart each peer with it. Peers with the old invite cannot connect to restarted ones.')
  print('\nAnyone with this invite can join; keep it secret.\n')
  print(line)
  print('\nOn this machine use its name; on others use the invite, or set SWARM_INVITE:')
  print(`  swarm serve <model> --swarm ${name}`)
  print(`  swarm generate <model> <prompt> --swarm <invite>`)
  if (peers.length === 0) {
    print('This invite has no address, so it works on your LAN only; `swarm serve` prints one that works elsewhere.')
  }
}
