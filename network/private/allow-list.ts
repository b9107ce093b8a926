// Who may connect, and whose announcements are believed. Pure.
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { parsePeerId } from '../addresses.ts'

/** `client`: may connect and send requests, but its announcements are ignored */
export type PeerRole = 'client' | 'server'

/** Peer ids and their roles; other peers get no connection. */
export type AllowList = ReadonlyMap<string, PeerRole>

/**
 * Lines of `<peer id> [client|server]`, server by default; empty lines and comments after `#` are ignored. Throws
 * INVALID_ARGUMENT with the line.
 */
export function parseAllowList(text: string, source: string): AllowList {
  const allowed = new Map<string, PeerRole>()
  for (const [index, line] of text.split('\n').entries()) {
    const [peer, role = 'server', ...rest] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!peer) continue
    const where = `${source}, line ${index + 1}`
    if (rest.length > 0 || (role !== 'client' && role !== 'server')) {
      throw new SwarmError('INVALID_ARGUMENT', `${where}: expected '<peer id> [client|server]', found '${line.trim()}'`)
    }
    try {
      allowed.set(parsePeerId(peer).toString(), role)
    } catch (cause) {
      throw new SwarmError('INVALID_ARGUMENT', `${where}: ${messageOf(cause)}`, { cause })
    }
  }
  return allowed
}

/**
 * Refuses all other peers: they are not dialed, and their connections end once the handshake shows their peer id.
 * @param onRefused called with each refused peer
 */
export function gateOf(allowed: AllowList, onRefused: (peer: string) => void = () => {}): ConnectionGater {
  const deny = (peer: PeerId) => !allowed.has(peer.toString())
  return {
    denyDialPeer: deny,
    denyOutboundEncryptedConnection: deny,
    denyInboundEncryptedConnection(peer) {
      const denied = deny(peer)
      if (denied) onRefused(peer.toString())
      return denied
    }
  }
}
