// Limits connections: sockets before the end of their handshake, and open ones. Evicts the oldest connection of the
// address with most, so that a newcomer always gets in. Knows no protocol.
import type { Server } from 'node:net'
import type { Connection, Listener, MultiaddrConnection, PeerId, Transport } from '@libp2p/interface'
import { SwarmError } from '../../common/errors.ts'
import { sourceOfIp } from '../../common/ip-source.ts'
import { sourceOf } from './source.ts'

/** What the guard needs of a socket. */
export interface PendingSocket {
  readonly remoteAddress?: string
  readonly remotePort?: number
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

export interface ConnectionGuardInit {
  /** sockets of one address, and of all, that have not finished the handshake */
  readonly pendingPerHost: number
  readonly pending: number
  /** connections of one address, and all */
  readonly perHost: number
  readonly connections: number
  /** share of the connections reserved for known members */
  readonly keptForKnown: number
  /** whether a peer is a known member: on an allow-list, or recently announced */
  readonly isKnown: (peerId: string) => boolean
}

interface Pending {
  readonly socket: PendingSocket
  readonly host: string
}

type OpenConnection = Pick<Connection, 'remotePeer' | 'remoteAddr' | 'direction' | 'streams' | 'timeline' | 'abort'>

export class ConnectionGuard {
  readonly #init: ConnectionGuardInit
  /** by address and port, oldest first */
  readonly #pending = new Map<string, Pending>()
  readonly #pendingOf = new Map<string, number>()
  /** oldest first */
  readonly #open = new Map<OpenConnection, string>()

  constructor(init: ConnectionGuardInit) {
    this.#init = init
  }

  /** sockets that have not finished the handshake */
  get pending(): number {
    return this.#pending.size
  }

  /** connections that are open */
  get connections(): number {
    return this.#open.size
  }

  /** A transport whose listeners report each incoming socket. */
  watch<C, T extends Transport>(create: (components: C) => T): (components: C) => T {
    return components => {
      const transport = create(components)
      const createListener = transport.createListener.bind(transport)
      transport.createListener = options => {
        const listener = createListener(options)
        // before upstream's own listener, which may find it gone
        ;(listener as Listener & { server?: Server }).server?.prependListener('connection', socket =>
          this.arrived(socket)
        )
        return listener
      }
      return transport
    }
  }

  /** A socket has arrived; its peer is not known yet. If there are too many, the oldest of the fullest address is closed. */
  arrived(socket: PendingSocket): void {
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined) return
    const host = sourceOfIp(remoteAddress)
    const key = `${host}/${remotePort}`
    this.#forget(key)
    this.#pending.set(key, { socket, host })
    this.#pendingOf.set(host, (this.#pendingOf.get(host) ?? 0) + 1)
    socket.once('close', () => {
      if (this.#pending.get(key)?.socket === socket) this.#forget(key)
    })
    if (this.#pendingOf.get(host)! > this.#init.pendingPerHost) this.#dropPending(host)
    if (this.#pending.size > this.#init.pending) this.#dropPending(this.#fullestPending())
  }

  /** For libp2p's connection gater, once a handshake is done. @returns false: never refuses */
  upgraded = (_: PeerId, { remoteAddr }: Pick<MultiaddrConnection, 'remoteAddr'>): false => {
    const port = remoteAddr.getComponents().find(({ name }) => name === 'tcp')?.value
    this.#forget(`${sourceOf(remoteAddr)}/${port}`)
    return false
  }

  /** Admits an open connection: evicts others if there are too many, or closes this one. */
  opened(connection: OpenConnection): void {
    const host = sourceOf(connection.remoteAddr)
    this.#open.set(connection, host)
    // outgoing connections are not limited
    if (connection.direction === 'outbound') return
    const { perHost, connections, keptForKnown } = this.#init
    const isStranger = (each: OpenConnection) => each.direction === 'inbound' && !this.#isKnown(each)
    const strangers = [...this.#open].filter(([each]) => isStranger(each))
    const ofHost = strangers.filter(([, each]) => each === host)
    if (ofHost.length > perHost) this.#close(victimOf(ofHost))
    else if (strangers.length > connections - keptForKnown) this.#close(victimOf(fullest(strangers)))
    else if (this.#open.size > connections) {
      const inbound = [...this.#open].filter(([each]) => each.direction === 'inbound')
      this.#close(victimOf(fullest(strangers.length > 0 ? strangers : inbound)))
    }
  }

  closed(connection: OpenConnection): void {
    this.#open.delete(connection)
  }

  #isKnown({ remotePeer }: OpenConnection): boolean {
    return this.#init.isKnown(remotePeer.toString())
  }

  #close(connection: OpenConnection): void {
    this.#open.delete(connection)
    connection.abort(new SwarmError('BUSY', 'too many connections, of this address or of all: try again later'))
  }

  #forget(key: string): void {
    const found = this.#pending.get(key)
    if (found === undefined) return
    this.#pending.delete(key)
    const left = this.#pendingOf.get(found.host)! - 1
    if (left > 0) this.#pendingOf.set(found.host, left)
    else this.#pendingOf.delete(found.host)
  }

  /** The oldest of an address. */
  #dropPending(host: string): void {
    for (const [key, pending] of this.#pending) {
      if (pending.host !== host) continue
      this.#forget(key)
      pending.socket.destroy()
      return
    }
  }

  /** The address with most connections; among equals the oldest. Addresses of known members come last. */
  #fullestPending(): string {
    const known = new Set<string>()
    for (const [connection, host] of this.#open) if (this.#isKnown(connection)) known.add(host)
    let fullest = ''
    let most = 0
    for (const { host } of this.#pending.values()) {
      const count = this.#pendingOf.get(host)! * (known.has(host) ? 1 / this.#init.pendingPerHost : 1)
      if (count > most) [fullest, most] = [host, count]
    }
    return fullest
  }
}

/** Those of the address that has most. */
function fullest(connections: readonly (readonly [OpenConnection, string])[]): (readonly [OpenConnection, string])[] {
  const counts = new Map<string, number>()
  for (const [, host] of connections) counts.set(host, (counts.get(host) ?? 0) + 1)
  const [host] = [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most), ['', 0])
  return connections.filter(([, each]) => each === host)
}

/** The oldest idle one; if all are in use, the newest, so that running work is not disturbed. */
function victimOf(connections: readonly (readonly [OpenConnection, string])[]): OpenConnection {
  const [idle] = connections.slice(0, -1).find(([{ streams }]) => streams.length === 0) ?? []
  return idle ?? connections.at(-1)![0]
}
