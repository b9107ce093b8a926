// swarm id: the peer id that a server or client of this machine has, as allow-lists name it.
import { Command } from 'commander'
import { loadIdentity, peerIdOfKey } from '../../network/private/identity.ts'
import { isLocked } from '../../network/private/identity-lock.ts'
import { ownAddresses } from '../options/listening.ts'
import { jsonOption, parseTcpPort } from '../options/options.ts'
import { identityFile, listIdentities } from '../peer/identity.ts'
import { print } from '../terminal/terminal.ts'

interface IdFlags {
  identity?: string
  port: number
  verbose?: boolean
  json?: boolean
}

export function idCommand(): Command {
  return new Command('id')
    .description('print the peer id of a server or client on this machine, for the allow-lists of others')
    .option('--identity <file>', 'key of a client or server; made if there is none (default: that of the first server)')
    .option('-p, --port <port>', 'key of the server with this fixed port', parseTcpPort, 0)
    .option('-v, --verbose', 'also print the key file, addresses, and the other identities of this machine')
    .addOption(jsonOption())
    .action(id)
}

interface Identity {
  readonly peerId: string
  readonly file: string
  /** a peer runs with it now */
  readonly isRunning: boolean
}

async function readIdentity(file: string): Promise<Identity> {
  const peerId = peerIdOfKey(await loadIdentity(file))
  return { peerId, file, isRunning: await isLocked(file) }
}

async function id(flags: IdFlags): Promise<void> {
  const chosen = await readIdentity(identityFile(flags))
  const addresses = ownAddresses(flags.port)
  if (flags.json) {
    print(JSON.stringify({ ...chosen, addresses }, null, 2))
    return
  }
  print(chosen.peerId)
  if (!flags.verbose) return
  print(`  key file   ${chosen.file}${chosen.isRunning ? ' (a peer runs with it)' : ''}`)
  for (const [index, address] of addresses.entries()) print(`  ${index === 0 ? 'addresses' : '         '}  ${address}`)
  const others = (await listIdentities()).filter(file => file !== chosen.file)
  for (const { peerId, file, isRunning } of await Promise.all(others.map(readIdentity))) {
    print(`  also       ${peerId}  ${file}${isRunning ? ' (a peer runs with it)' : ''}`)
  }
}
