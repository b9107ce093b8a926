// Flags of listening peers, and the addresses that they print.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Command, Option } from 'commander'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { isLoopback } from '../../network/addresses.ts'
import { formatInvite, type Invite, maxInvitePeers } from '../../network/private/invite.ts'
import { UsageError } from '../errors/usage.ts'
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
    .optionsGroup('Listening:')
    .option('--host <host>', 'address or host name to listen on; 0.0.0.0: all addresses', '0.0.0.0')
    .option('-p, --port <port>', 'TCP port to listen on; 0: any free one', parseTcpPort, port)
    .addOption(
      new Option('--ws-port <port>', 'also listen for WebSockets on this port, for browsers (default: off)').argParser(
        parseTcpPort
      )
    )
    .option('--announce <address...>', 'addresses to tell other peers (default: those listened on)')
    .option('--identity <file>', 'file of the peer identity (default: one per port in the home folder)')
    .option('--no-identity', 'use a new identity at each start')
    .option('--relay', 'relay traffic for peers behind routers (default: off)')
    .option('--nat', 'make this peer reachable behind a router: UPnP, relays, hole punching (default: off)')
}

/** The IP address that a host name has on this machine, IPv4 before IPv6. Throws INVALID_ARGUMENT where it has none. */
async function addressOfHost(host: string): Promise<string> {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) return bare
  try {
    const found = await lookup(bare, { all: true })
    return (found.find(({ family }) => family === 4) ?? found[0]!).address
  } catch (cause) {
    const hint = 'give an address or a name of this machine: 0.0.0.0 listens on all of its addresses'
    throw new SwarmError('INVALID_ARGUMENT', `--host ${host}: no such name (${messageOf(cause)}); ${hint}`, { cause })
  }
}

/** Throws UsageError where two flags name one port. */
function checkPorts(ports: Readonly<Record<string, number | undefined>>): void {
  const taken = new Map<number, string>()
  for (const [flag, port] of Object.entries(ports)) {
    if (port === undefined || port === 0) continue
    const other = taken.get(port)
    if (other !== undefined) throw new UsageError(`${other} and ${flag}: expected two ports, found ${port} for both`)
    taken.set(port, flag)
  }
}

/** Multiaddrs to listen on. Throws UsageError where two flags name one port, INVALID_ARGUMENT for an unknown host name. */
export async function listenAddresses({
  host,
  port,
  wsPort,
  metricsPort
}: ListenFlags & { metricsPort?: number }): Promise<string[]> {
  checkPorts({ '--port': port, '--ws-port': wsPort, '--metrics-port': metricsPort })
  const address = await addressOfHost(host)
  const ip = `/${isIP(address) === 6 ? 'ip6' : 'ip4'}/${address}`
  return [`${ip}/tcp/${port}`, ...(wsPort === undefined ? [] : [`${ip}/tcp/${wsPort}/ws`])]
}

/** Addresses that other machines can try; those of the loopback interface where there are no others. */
function shareable(addresses: readonly string[]): readonly string[] {
  const others = addresses.filter(address => !isLoopback(address))
  return others.length > 0 ? others : addresses
}

/** The invite with a peer's own addresses first, so that one paste joins by it. */
export function inviteBy(invite: Invite, addresses: readonly string[]): string {
  const own = shareable(addresses).slice(0, maxInvitePeers - 2)
  const peers = shareable([...new Set([...own, ...invite.peers])])
  return formatInvite({ ...invite, peers: peers.slice(0, maxInvitePeers) })
}

/** Lines with addresses to join by. */
export function joinLines(addresses: readonly string[], invite: Invite | undefined): string[] {
  const shared = shareable(addresses)
  const isLocal = shared.every(isLoopback)
  const warning = isLocal
    ? ['only peers on this machine can join: every address is loopback (--host 0.0.0.0 listens on all interfaces)']
    : []
  const who = isLocal ? 'another peer' : 'another machine'
  if (invite) {
    return [...warning, `${who} joins swarm '${invite.name}' with`, `  --swarm ${inviteBy(invite, addresses)}`]
  }
  return [
    ...warning,
    `${who} joins with${shared.length === 1 ? '' : ' one of'}:`,
    ...shared.map(address => `  --join ${address}`)
  ]
}

/** Addresses of this machine that others can reach, as --join takes them where the port is known. */
export function ownAddresses(port: number): string[] {
  const found = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return found
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address))
    .map(host => (port === 0 ? host : `${host}:${port}`))
}

/** URLs at which other machines reach what listens on all addresses of this one; none where it listens on one. */
export function urlsForOthers(url: string, host: string): string[] {
  const { protocol, port } = new URL(url)
  if (host !== '0.0.0.0' && host !== '::') return []
  const isReached = (address: string): boolean => host === '::' || !address.startsWith('[')
  return ownAddresses(Number(port))
    .filter(isReached)
    .map(address => `${protocol}//${address}`)
}
