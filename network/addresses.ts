// Parses multiaddrs and peer ids as users write them, and explains libp2p's errors about them.
import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { messageOf, SwarmError, toSwarmError } from '../common/errors.ts'
import { sourceOf } from './guards/source.ts'

/** Peer ids are base58, whose decoding takes the square of their length; real ones have 46 to 62 characters. */
const maxPeerIdLength = 256
const maxAddressLength = 1024

function checkLength(text: string, most: number): void {
  if (text.length > most) throw new Error(`${text.length} characters, at most ${most}`)
}

/** Throws INVALID_ARGUMENT naming what the address is for. */
export function parseAddress(text: string, what: string): Multiaddr {
  try {
    checkLength(text, maxAddressLength)
    return multiaddr(text)
  } catch (cause) {
    const example = '/ip4/192.168.1.7/tcp/4000/p2p/12D3Koo…'
    throw new SwarmError('INVALID_ARGUMENT', `${what} '${text}' is not a multiaddr such as ${example}`, { cause })
  }
}

const examples =
  'host:port, such as 192.168.1.7:31330 or [fe80::1]:31330, or a multiaddr, such as /ip4/192.168.1.7/tcp/31330'

/** `host:port`, an IPv6 address in brackets, with or without a peer id after it. */
const hostPort = /^(?:\[(?<ip6>[0-9a-f:.]+)\]|(?<host>[^\s/:@[\]]+)):(?<port>\d{1,5})(?<peer>\/p2p\/\w+)?$/i

/**
 * The multiaddr of an address as people write it: a multiaddr, `192.168.1.7:4001`, `[::1]:4001` or `example.org:4001`.
 * Throws INVALID_ARGUMENT naming what the address is for.
 */
export function toMultiaddr(text: string, what: string): string {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new SwarmError('INVALID_ARGUMENT', `${what} '${text}': expected ${examples} (is a variable not set?)`)
  }
  if (text.startsWith('/')) return checkPeers(parseAddress(text, what), what).toString()
  const { ip6, host = '', port = '', peer = '' } = hostPort.exec(text.trim())?.groups ?? {}
  const isPort = Number(port) >= 1 && Number(port) <= 65535
  let address: Multiaddr
  try {
    if (!isPort) throw new Error('no port')
    checkLength(text, maxAddressLength)
    const isIp4 = /^[\d.]+$/.test(host)
    // names outside ASCII become what DNS knows them by
    const where = ip6 ? `ip6/${ip6}` : isIp4 ? `ip4/${host}` : `dns/${encodeName(host)}`
    address = multiaddr(`/${where}/tcp/${port}${peer}`)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${what} '${text}': expected ${examples}`, { cause })
  }
  return checkPeers(address, what).toString()
}

/** Throws INVALID_ARGUMENT where a peer id of the address is none: multiaddrs take any text there. */
function checkPeers(address: Multiaddr, what: string): Multiaddr {
  for (const { name, value = '' } of address.getComponents()) {
    if (name !== 'p2p') continue
    try {
      parsePeerId(value)
    } catch (cause) {
      const expected = 'expected an id such as 12D3Koo…, or an address without its part /p2p/'
      throw new SwarmError('INVALID_ARGUMENT', `${what} '${address}': '${value}' is no peer id: ${expected}`, { cause })
    }
  }
  return address
}

/** Characters of host names: a URL ends a name at others, such as `?`, and drops what is invisible, except the joiners of some scripts. */
const hostName = /^(?:[\p{L}\p{M}\p{N}\p{S}._。．-]|\u200c|\u200d)+$/u

/** A host name in ASCII. Throws if it is invalid. */
function encodeName(host: string): string {
  if (!hostName.test(host)) throw new Error('no host name')
  const { hostname } = new URL(`http://${host}`)
  if (!/^(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?$/.test(hostname)) throw new Error('no host name')
  return hostname
}

/** Loopback addresses are of use on their own machine alone. */
export function isLoopback(address: string): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(address)
}

/**
 * The first TCP address as `host:port`: preferably one of `host` (`ip4/192.0.2.1`), then one other than loopback.
 * `relayed` for a peer that is reachable only through a relay; undefined if there is none.
 */
export function hostAndPort(addresses: readonly string[], host?: string): string | undefined {
  const direct = addresses.filter(address => !address.includes('/p2p-circuit'))
  const best =
    direct.find(address => host !== undefined && address.startsWith(`/${host}/`)) ??
    direct.find(address => !isLoopback(address)) ??
    direct[0]
  if (best === undefined) return addresses.length > 0 ? 'relayed' : undefined
  const [, kind, name, , port] = best.split('/')
  if (port === undefined) return best
  return kind === 'ip6' ? `[${name}]:${port}` : `${name}:${port}`
}

/** Throws INVALID_ARGUMENT for an invalid address, and if `addresses` is one address instead of a list. */
export function checkAddresses(addresses: readonly string[], what: string): void {
  if (!Array.isArray(addresses)) {
    throw new SwarmError('INVALID_ARGUMENT', `${what}: expected a list of multiaddrs, found ${typeof addresses}`)
  }
  for (const address of addresses) parseAddress(address, what)
}

/** The addresses of a list as multiaddrs. Throws INVALID_ARGUMENT as `toMultiaddr` does, and if it is not a list. */
export function toMultiaddrs(addresses: readonly string[], what: string): string[] {
  if (!Array.isArray(addresses)) checkAddresses(addresses, what)
  return addresses.map(address => toMultiaddr(address, what))
}

/** Throws INVALID_ARGUMENT. */
export function parsePeerId(text: string): PeerId {
  try {
    checkLength(text, maxPeerIdLength)
    return peerIdFromString(text)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `'${text}' is not a peer id`, { cause })
  }
}

/** The peer id at the end of an address, or undefined. */
export function peerIdOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(component => component.name === 'p2p')?.value
}

/** `ip4/192.0.2.1` of an address; undefined for names, and for relays, which hide the other peer's address. */
export function hostOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  if (components.some(({ name }) => name === 'p2p-circuit')) return undefined
  const [first] = components
  return first && (first.name === 'ip4' || first.name === 'ip6') ? `${first.name}/${first.value}` : undefined
}

/** The host that a peer is connected from, for IPv6 its /64 network; its peer id if unknown. */
export function connectedHost(libp2p: Pick<Libp2p, 'getConnections'>, peer: PeerId): string {
  const [connection] = libp2p.getConnections(peer)
  if (!connection || hostOf(connection.remoteAddr) === undefined) return peer.toString()
  return sourceOf(connection.remoteAddr)
}

/** The key that a peer's requests count under: as `connectedHost`, but the relay for a peer behind one. */
export function connectedSource(libp2p: Pick<Libp2p, 'getConnections'>, peer: PeerId): string {
  const [connection] = libp2p.getConnections(peer)
  return connection ? sourceOf(connection.remoteAddr) : peer.toString()
}

/** Why one address did not answer, in a line. */
export function dialReason(error: unknown): string {
  if (error instanceof AggregateError) {
    return [...new Set(error.errors.map(dialReason))].join('; ') || error.message
  }
  return messageOf(error)
}

/** UNREACHABLE with the reasons of a failed dial; abort signals keep their own error. */
export function dialError(
  error: unknown,
  peer: string,
  addresses: readonly string[],
  signal?: AbortSignal
): SwarmError {
  if (signal?.aborted) return toSwarmError(signal.reason, 'ABORTED')
  const tried = addresses.length > 0 ? ` at ${addresses.join(', ')}` : ': no address of it is known'
  return new SwarmError('UNREACHABLE', `cannot reach ${peer}${tried} (${dialReason(error)})`, { cause: error })
}

/** Causes why a machine cannot listen on an address, and fixes. */
const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'the port is taken; stop what uses the port, choose another, or listen on port 0 to have a free one chosen',
  EADDRNOTAVAIL:
    'this machine has no such address; listen on 0.0.0.0 (all addresses), 127.0.0.1 (this machine alone) or one of its own',
  EACCES: 'this user may not take the port; choose one above 1023',
  EAFNOSUPPORT: 'this machine has no addresses of this kind; listen on an IPv4 address',
  EINVAL: 'it is incomplete, as a link-local address without its interface; listen on another'
}

/** ADDRESS_IN_USE or INVALID_ARGUMENT if listening failed; other errors unchanged. */
export function listenError(error: unknown, listen: readonly string[]): unknown {
  const message = messageOf(error)
  const code = Object.keys(listenFaults).find(each => message.includes(each))
  if (code !== undefined) {
    // libp2p's message has a line for each address that failed, with a stack
    const failed = listen.filter(address => message.includes(`${address}: `))
    const where = (failed.length > 0 ? failed : listen).join(', ')
    const kind = code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'INVALID_ARGUMENT'
    return new SwarmError(kind, `cannot listen on ${where}: ${listenFaults[code]}`, { cause: error })
  }
  if (error instanceof Error && error.name === 'UnsupportedListenAddressesError') {
    const [first] = message
      .replaceAll(/\n\s*at [^\n]*/g, '')
      .split(/\n\s*\n\s*/)
      .slice(-1)
    return new SwarmError('INVALID_ARGUMENT', `cannot listen on ${listen.join(', ')}: ${first!.trim()}`, {
      cause: error
    })
  }
  return error
}
