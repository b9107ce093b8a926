// Whose an IP address is, for limits: addresses are free within a network of IPv6. Pure.

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

/** The key of an IP address for limits: the IPv4 address, or the /64 network of an IPv6 address; an IPv4 one mapped into IPv6 is IPv4. */
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
