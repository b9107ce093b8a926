// A TCP proxy whose links can be made bad while it runs: slow, narrow, silent, cut, corrupted. Knows no protocol; a link is told
// by the address that its connections come from.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { ProxyPipe, type ProxyWeather } from './pipe.ts'

const fair: ProxyWeather = { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, isFrozen: false, isRefused: false }

interface Link {
  readonly source: string
  readonly sockets: readonly [Socket, Socket]
  readonly pipes: readonly [ProxyPipe, ProxyPipe]
}

/** Stands for all sources that nothing else is said of. */
export const everybody = '*'

export class ChaosProxy {
  readonly #server: Server
  readonly #links = new Set<Link>()
  readonly #weather = new Map<string, ProxyWeather>()
  readonly #counts = new Set<(bytes: number) => void>()
  readonly #target: number
  /** pieces in which a bit was turned over */
  corrupted = 0

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
  }

  /** Listens on a free port of 127.0.0.1 for what is meant for port `target`. */
  static async open(target: number): Promise<ChaosProxy> {
    const server = createServer({ noDelay: true })
    const proxy = new ChaosProxy(server, target)
    server.on('connection', socket => proxy.#accept(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** connections that are open */
  get connections(): number {
    return this.#links.size
  }

  /** What comes of connections from this address, those that are open and those to come. */
  set(weather: Partial<ProxyWeather>, source: string = everybody): void {
    this.#weather.set(source, { ...this.#of(source), ...weather })
    for (const link of this.#links) for (const pipe of link.pipes) pipe.wake()
  }

  /** Fair weather for all. */
  clear(): void {
    this.#weather.clear()
    for (const link of this.#links) for (const pipe of link.pipes) pipe.wake()
  }

  /** Resets the open connections of a source. */
  cut(source: string = everybody): void {
    for (const link of this.#select(source)) this.#end(link)
  }

  /** Resets each open connection of a source after so many more bytes of it, whichever way they go: in the middle of a frame. */
  cutAfter(bytes: number, source: string = everybody): void {
    for (const link of this.#select(source)) for (const pipe of link.pipes) pipe.cutAfter(bytes)
  }

  /** Turns over a bit of the next piece of at least `least` bytes that each open connection carries, either way. */
  corrupt(source: string = everybody, least = 1): void {
    for (const link of this.#select(source)) for (const pipe of link.pipes) pipe.corrupt(least)
  }

  /** Resolves when so many more bytes have come for the server. */
  carries(bytes: number): Promise<void> {
    return new Promise(resolve => {
      let left = bytes
      const count = (carried: number): void => {
        left -= carried
        if (left > 0) return
        this.#counts.delete(count)
        resolve()
      }
      this.#counts.add(count)
    })
  }

  async close(): Promise<void> {
    for (const link of this.#links) this.#end(link)
    this.#server.close()
    await once(this.#server, 'close')
  }

  #of(source: string): ProxyWeather {
    return this.#weather.get(source) ?? this.#weather.get(everybody) ?? fair
  }

  #select(source: string): Link[] {
    return [...this.#links].filter(link => source === everybody || link.source === source)
  }

  #accept(near: Socket): void {
    const source = near.remoteAddress ?? ''
    near.on('error', () => {})
    if (this.#of(source).isRefused) return void reset(near)
    const far = connect({ port: this.#target, host: '127.0.0.1', noDelay: true })
    const weather = (): ProxyWeather => this.#of(source)
    const end = (): void => this.#end(link)
    const init = {
      weather,
      cut: end,
      corrupted: () => {
        this.corrupted += 1
      }
    }
    const pipes = [new ProxyPipe({ from: near, to: far }, init), new ProxyPipe({ from: far, to: near }, init)] as const
    const link: Link = { source, sockets: [near, far], pipes }
    near.on('data', bytes => {
      for (const count of this.#counts) count(bytes.length)
    })
    this.#links.add(link)
    for (const socket of link.sockets) {
      socket.on('error', end)
      socket.on('close', () => {
        // in silence nobody hears of an end either
        if (!weather().isFrozen) end()
      })
    }
  }

  #end(link: Link): void {
    this.#links.delete(link)
    for (const pipe of link.pipes) pipe.stop()
    for (const socket of link.sockets) reset(socket)
  }
}

/** libuv does not reset a socket that is being shut down: Node would keep its descriptor, and wait for it at the end of the process. */
function reset(socket: Socket): void {
  if (socket.destroyed) return
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
