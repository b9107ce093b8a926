// Where a request comes from: the client's address, the host that it names, the page that sends it. Pure.
import { BlockList, isIP } from 'node:net'
import { hostname } from 'node:os'
import { SwarmError } from '../../common/errors.ts'

/** Addresses and ranges. Throws INVALID_ARGUMENT for a text that is neither. */
export function addressList(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', prefix, ...rest] = text.trim().split('/')
    const version = isIP(address)
    const bits = prefix === undefined ? undefined : Number(prefix)
    const most = version === 6 ? 128 : 32
    const isRange = bits === undefined || (/^\d+$/.test(prefix!) && bits <= most)
    if (version === 0 || !isRange || rest.length > 0) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `trusted proxies: expected addresses or ranges such as 10.0.0.5 or 10.0.0.0/8, found '${text}'`
      )
    }
    const family = version === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, bits, family)
  }
  return list
}

/** `::ffff:10.0.0.1` -> `10.0.0.1` */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')

function isIn(list: BlockList, address: string): boolean {
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

/** 127.0.0.0/8 and ::1 */
export function isLoopbackAddress(address: string): boolean {
  const text = plain(address)
  return text === '::1' || (isIP(text) === 4 && text.startsWith('127.'))
}

/** What a request says of where it comes from; headers in lower case. */
export interface Arrival {
  /** of the socket's other end */
  readonly peer: string
  readonly isEncrypted: boolean
  header(name: string): string | undefined
}

/** Where a request comes from, forwarded headers taken into account where a trusted proxy sent them. */
export interface Origin {
  /** address of the client */
  readonly client: string
  /** name and port as the client asked for them, in lower case: `localhost:8000`; null: none is named */
  readonly host: string | null
  readonly protocol: 'http' | 'https'
  /** headers of a proxy stand in the request, trusted or not */
  readonly isForwarded: boolean
}

const last = (values: readonly string[]): string | undefined => values.at(-1)

const listOf = (text: string | undefined): string[] => (text ?? '').split(',').map(part => part.trim())

/** The right-most address that is no trusted proxy's: clients can write anything to the left of it. */
function clientOf(peer: string, forwarded: readonly string[], trusted: BlockList): string {
  let client = peer
  for (const address of forwarded.toReversed()) {
    if (!isIn(trusted, client)) break
    const bare = plain(address.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1'))
    if (isIP(bare) === 0) break
    client = bare
  }
  return client
}

export function arrivalOrigin({ peer, isEncrypted, header }: Arrival, trusted: BlockList): Origin {
  const address = plain(peer)
  const forwardedFor = header('x-forwarded-for')
  const isForwarded = [forwardedFor, header('forwarded'), header('x-forwarded-host')].some(each => each !== undefined)
  const protocol = isEncrypted ? 'https' : 'http'
  const host = header('host')?.toLowerCase() ?? null
  if (!isIn(trusted, address)) return { client: address, host, protocol, isForwarded }
  const forwardedProtocol = last(listOf(header('x-forwarded-proto')))
  return {
    client: clientOf(address, listOf(forwardedFor), trusted),
    host: last(listOf(header('x-forwarded-host')))?.toLowerCase() || host,
    protocol: forwardedProtocol === 'https' || forwardedProtocol === 'http' ? forwardedProtocol : protocol,
    isForwarded
  }
}

/** `localhost:8000` -> `localhost`, `[::1]:80` -> `::1` */
export function nameOfHost(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/**
 * Whether a page of another site could have chosen this host name: DNS rebinding points a name of its own to our address. Addresses,
 * localhost and this machine's own name cannot be used so.
 * @param allowed further names; `.example.org` allows all below it
 */
export function isOwnHost(host: string, allowed: readonly string[]): boolean {
  const name = nameOfHost(host)
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true
  const own = hostname().toLowerCase()
  if (name === own || name === `${own}.local`) return true
  return allowed.some(each => {
    const wanted = each.toLowerCase()
    return name === wanted || host === wanted || (wanted.startsWith('.') && name.endsWith(wanted))
  })
}

/** Whether a page of this origin may use the API: the gateway's own page, or one that is named. */
export function isAllowedOrigin(text: string, { host, protocol }: Origin, cors: readonly string[]): boolean {
  if (cors.includes('*') || cors.includes(text)) return true
  return host !== null && text.toLowerCase() === `${protocol}://${host}`
}
