// Node's TCP sockets over a world's wires: connections between its machines, and no others.
import { EventEmitter } from 'node:events'
import net from 'node:net'
import { current, type Incarnation, type Machine } from '../machine.ts'
import { Pipe } from '../wires.ts'
import type { World } from '../world.ts'
import { type Address, failure, sockets, VirtualSocket } from './socket.ts'

/** ports that are given out: where none is named, and to those who dial */
const firstFreePort = 30_000

class VirtualServer extends EventEmitter {
  readonly #world: World
  readonly #open = new Set<VirtualSocket>()
  readonly #listeners: Map<string, VirtualServer>
  readonly owner: Incarnation
  maxConnections = Number.POSITIVE_INFINITY
  #at: Address | null = null
  #forget: () => void = () => {}
  #isClosing = false

  constructor(world: World, listeners: Map<string, VirtualServer>, onSocket?: (socket: VirtualSocket) => void) {
    super()
    const owner = current()
    if (owner === undefined) throw new Error('net.createServer outside of a world')
    this.#world = world
    this.#listeners = listeners
    this.owner = owner
    if (onSocket) this.on('connection', onSocket)
  }

  get listening(): boolean {
    return this.#at !== null
  }

  listen({ host, port = 0 }: { host?: string; port?: number }, done?: () => void): this {
    const { address } = this.owner.machine
    if (host !== undefined && host !== address && host !== '0.0.0.0')
      throw new Error(`listen on ${host}: not simulated`)
    let chosen = port
    if (port === 0) for (chosen = firstFreePort; this.#listeners.has(`${address}:${chosen}`); ) chosen++
    const key = `${address}:${chosen}`
    if (done) this.once('listening', done)
    if (this.#listeners.has(key)) {
      this.#world.clock.after(0, () => this.emit('error', failure('EADDRINUSE', 'listen')), this.owner)
      return this
    }
    this.#listeners.set(key, this)
    this.#at = { host: host ?? '0.0.0.0', port: chosen }
    this.#isClosing = false
    this.#forget = this.#world.onDeath(this.owner, () => this.#listeners.delete(key))
    this.#world.clock.after(0, () => this.emit('listening'), this.owner)
    return this
  }

  address(): { address: string; family: string; port: number } | null {
    return this.#at && { address: this.#at.host, family: 'IPv4', port: this.#at.port }
  }

  close(done?: (error?: Error) => void): this {
    if (done) this.once('close', done)
    if (this.#at === null) return this
    this.#listeners.delete(`${this.owner.machine.address}:${this.#at.port}`)
    this.#at = null
    this.#forget()
    this.#isClosing = true
    this.#closed()
    return this
  }

  accept(socket: VirtualSocket): void {
    if (this.#open.size >= this.maxConnections) {
      socket.destroy()
      this.emit('drop')
      return
    }
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#closed()
    })
    this.emit('connection', socket)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #closed(): void {
    if (!this.#isClosing || this.#open.size > 0) return
    this.#isClosing = false
    this.#world.clock.after(0, () => this.emit('close'), this.owner)
  }
}

export interface SocketReadings {
  /** sockets that are open, by process */
  socketsOf(process: Incarnation): number
}

/** Puts simulated sockets in the place of Node's. @param world the world of the moment */
export function replaceSockets(world: () => World): SocketReadings {
  const listeners = new WeakMap<World, Map<string, VirtualServer>>()
  const ports = new WeakMap<Machine, number>()
  const listenersOf = (of: World): Map<string, VirtualServer> => {
    const known = listeners.get(of) ?? new Map()
    listeners.set(of, known)
    return known
  }

  const connect = ({ host, port }: Address): VirtualSocket => {
    const of = world()
    const owner = current()
    if (owner === undefined) throw new Error('net.connect outside of a world')
    const { machine } = owner
    const localPort = (ports.get(machine) ?? 2 * firstFreePort) + 1
    ports.set(machine, localPort)
    const local = { host: machine.address, port: localPort }
    const socket = new VirtualSocket(of, owner, local, { host, port })
    const target = of.machines.find(({ address }) => address === host)
    // nobody answers from an address that no machine has
    if (target === undefined) return socket
    const fail = (code: string): void => {
      if (!owner.isDead) current.as(owner, () => socket.destroy(failure(code, 'connect')))
    }
    of.wires.send(
      new Pipe(machine, target),
      0,
      () => {
        if (socket.destroyed || owner.isDead) return
        const server = listenersOf(of).get(`${host}:${port}`)
        if (server === undefined || server.owner.isDead) {
          return of.wires.send(
            new Pipe(target, machine),
            0,
            () => fail('ECONNREFUSED'),
            () => {}
          )
        }
        of.trace('connect', machine.name, target.name)
        const other = new VirtualSocket(of, server.owner, { host, port }, local)
        other.join(socket)
        other.accepted()
        of.clock.after(0, () => server.accept(other), server.owner)
      },
      () => fail('ETIMEDOUT')
    )
    return socket
  }

  Object.assign(net, {
    connect,
    createConnection: connect,
    createServer: (...values: unknown[]) => {
      const onSocket = values.find(value => typeof value === 'function') as
        | ((socket: VirtualSocket) => void)
        | undefined
      const of = world()
      return new VirtualServer(of, listenersOf(of), onSocket)
    }
  })
  return { socketsOf: process => sockets.of(process).size }
}
