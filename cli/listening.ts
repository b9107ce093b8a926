// Flags of peers that listen, and what they print for others to join by.
import { type Command, Option } from 'commander'
import { formatInvite, type Invite, maxInvitePeers } from '../network/private/invite.ts'
import { parseTcpPort } from './options.ts'

export interface ListenFlags {
  host: string
  port: number
  wsPort?: number
  announce?: string[]
  identity?: string | false
  relay?: boolean
  nat?: boolean
}

/** Adds --host, --port, --ws-port, --announce, --identity, --relay and --nat. */
export function addListenOptions(command: Command, { port }: { port: number }): Command {
  return command
    .option('--host <address>', 'address to listen on', '0.0.0.0')
    .option('-p, --port <port>', 'TCP port to listen on, 0 = any free one', parseTcpPort, port)
    .addOption(
      new Option('--ws-port <port>', 'also listen for WebSockets, for clients that have no TCP').argParser(parseTcpPort)
    )
    .option('--announce <multiaddr...>', 'tell others these addresses instead of those listened on')
    .option('--identity <file>', 'keep the peer identity in this file (default: one per port under the home folder)')
    .option('--no-identity', 'a new identity at each start')
    .option('--relay', 'forward the traffic of peers that cannot be reached')
    .option('--nat', 'be reached behind a router: UPnP, relays among the peers, direct connections where they work')
}

/** multiaddrs to listen on */
export function listenAddresses({ host, port, wsPort }: ListenFlags): string[] {
  const ip = `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}`
  return [`${ip}/tcp/${port}`, ...(wsPort === undefined ? [] : [`${ip}/tcp/${wsPort}/ws`])]
}

/** Addresses as others should try them: loopback last, for peers on this machine. */
export function shareable(addresses: readonly string[]): string[] {
  const local = (address: string) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)
  return [...addresses.filter(address => !local(address)), ...addresses.filter(local)]
}

/** The invite with a peer's own addresses first, so that one paste joins by it. */
export function inviteBy(invite: Invite, addresses: readonly string[]): string {
  const own = shareable(addresses).slice(0, maxInvitePeers - 2)
  return formatInvite({ ...invite, peers: [...new Set([...own, ...invite.peers])].slice(0, maxInvitePeers) })
}

/** Lines that say how others join. */
export function joinLines(addresses: readonly string[], invite: Invite | undefined): string[] {
  if (invite) return [`another machine joins swarm '${invite.name}' with`, `  --swarm ${inviteBy(invite, addresses)}`]
  return ['another machine joins with one of:', ...addresses.map(address => `  --join ${address}`)]
}
