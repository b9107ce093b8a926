// The key of a connection for limits per address. Pure.
import type { Multiaddr } from '@multiformats/multiaddr'
import { sourceOfIp } from '../../common/ip-source.ts'

/**
 * The key of an address for limits: the IPv4 address, the /64 network of an IPv6 address (an IPv4 one mapped into IPv6
 * is IPv4), the relay for a peer behind a relay. The whole address in other cases.
 */
export function sourceOf(address: Multiaddr): string {
  const components = address.getComponents()
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit')
  if (circuit > 0) {
    const relay = components.slice(0, circuit).findLast(({ name }) => name === 'p2p')
    if (relay !== undefined) return `relay/${relay.value}`
  }
  const ip = components.find(({ name }) => name === 'ip4' || name === 'ip6')
  if (ip?.value === undefined) return address.toString()
  return sourceOfIp(ip.value)
}
