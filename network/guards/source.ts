// The key of a connection for limits per address. Pure.
import type { Multiaddr } from '@multiformats/multiaddr'

/** The first 64 bits of an IPv6 address, as hexadecimal groups: one customer of a provider has all addresses with them. */
function networkOf(address: string): string {
  const [head = '', tail = ''] = address.split('%')[0]!.toLowerCase().split('::')
  const groups = (text: string) => text.split(':').filter(group => group !== '')
  const [first, last] = [groups(head), groups(tail)]
  const all = address.includes('::')
    ? [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last]
    : first
  return all
    .slice(0, 4)
    .map(group => group.replace(/^0+(?=.)/, ''))
    .join(':')
}

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

/** The same for an IP address as text. */
export function sourceOfIp(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)
  if (mapped) return `ip4/${mapped[1]}`
  const hexadecimal = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(ip)
  if (hexadecimal) {
    const [high, low] = [Number.parseInt(hexadecimal[1]!, 16), Number.parseInt(hexadecimal[2]!, 16)]
    return `ip4/${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  return ip.includes(':') ? `ip6/${networkOf(ip)}` : `ip4/${ip}`
}
