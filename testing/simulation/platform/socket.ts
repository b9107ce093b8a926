// One end of a TCP connection over a world's wires, as Node's `net.Socket`.
import { EventEmitter } from 'node:events'
import { current, type Incarnation, type Machine } from '../machine.ts'
import { Pipe } from '../wires.ts'
import type { World } from '../world.ts'

/** Bytes on the way, written and not yet read, above which a writer is told to wait. */
const highWaterBytes = 256 * 1024

export interface Address {
  readonly host: string
  readonly port: number
}

export const failure = (code: string, what: string): Error =>
  Object.assign(new Error(`${what} ${code}`), { code, syscall: what })

/** One end of a connection. */
export class VirtualSocket extends EventEmitter {
  readonly #world: World
  readonly owner: Incarnation
  readonly #machine: Machine
  remoteAddress: string
  remotePort: number
  localAddress: string
  localPort: number
  readonly remoteFamily = 'IPv4'
  connecting = true
  destroyed = false
  writableEnded = false
  bytesRead = 0
  bytesWritten = 0
  /** the other end, once there is a connection */
  #peer: VirtualSocket | null = null
  #pipe: Pipe | null = null
  #outbox: Uint8Array[] = []
  #isFlushing = false
  #unread: Uint8Array[] = []
  #isPaused = false
  #hasEnded = false
  #onWay = 0
  #needsDrain = false
  #forget: () => void = () => {}

  constructor(world: World, owner: Incarnation, local: Address, remote: Address) {
    super()
    this.#world = world
    this.owner = owner
    this.#machine = owner.machine
    this.remoteAddress = remote.host
    this.remotePort = remote.port
    this.localAddress = local.host
    this.localPort = local.port
    this.#forget = world.onDeath(owner, () => this.#die())
    sockets.of(owner).add(this)
  }

  get readable(): boolean {
    return !this.destroyed && !this.#hasEnded
  }

  get writable(): boolean {
    return !this.destroyed && !this.writableEnded
  }

  get writableLength(): number {
    return this.#onWay
  }

  /** Connects this end with the other. */
  join(peer: VirtualSocket): void {
    this.#peer = peer
    this.#pipe = new Pipe(this.#machine, peer.#machine)
    this.connecting = false
  }

  write(data: Uint8Array | string, ...rest: unknown[]): boolean {
    const done = rest.find(value => typeof value === 'function') as ((error?: Error) => void) | undefined
    if (this.destroyed || this.writableEnded) {
      const error = failure('EPIPE', 'write')
      if (done) process.nextTick(done, error)
      if (!this.destroyed) this.destroy(error)
      return false
    }
    const bytes = typeof data === 'string' ? Buffer.from(data) : Uint8Array.from(data)
    this.#outbox.push(bytes)
    this.#onWay += bytes.byteLength
    this.bytesWritten += bytes.byteLength
    this.#flushSoon()
    if (done) process.nextTick(done)
    if (this.#onWay < highWaterBytes) return true
    this.#needsDrain = true
    return false
  }

  end(data?: Uint8Array): this {
    if (data instanceof Uint8Array) this.write(data)
    if (this.writableEnded || this.destroyed) return this
    this.writableEnded = true
    this.#flush()
    const peer = this.#peer
    this.#send(0, () => peer?.onEnd())
    this.#closeWhenDone()
    return this
  }

  destroySoon(): void {
    this.end()
    // as Node: once what was written has left
    this.#world.clock.after(0, () => this.destroy(), this.owner)
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.#flush()
    const peer = this.#peer
    if (!this.writableEnded) {
      // a socket that is closed with an error, or with bytes unread, resets the connection
      if (error !== undefined || this.#unread.length > 0) this.#send(0, () => peer?.onReset())
      else this.#send(0, () => peer?.onEnd())
    }
    this.#close(error)
    return this
  }

  resetAndDestroy(): this {
    if (this.destroyed) return this
    const peer = this.#peer
    this.#outbox = []
    this.#send(0, () => peer?.onReset())
    this.#close()
    return this
  }

  pause(): this {
    this.#isPaused = true
    return this
  }

  resume(): this {
    if (!this.#isPaused) return this
    this.#isPaused = false
    this.#world.clock.after(0, () => this.#read(), this.owner)
    return this
  }

  override on(event: string, listener: (...values: unknown[]) => void): this {
    super.on(event, listener)
    if (event === 'data' && this.#unread.length > 0) this.#world.clock.after(0, () => this.#read(), this.owner)
    return this
  }

  setTimeout(ms: number): this {
    if (ms > 0) throw new Error('socket.setTimeout: not simulated')
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  address(): { address: string; family: string; port: number } {
    return { address: this.localAddress, family: 'IPv4', port: this.localPort }
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#peer === null) return
    this.#isFlushing = true
    this.#world.clock.after(0, () => this.#flush(), this.owner)
  }

  /** What was written since the last time leaves as one packet, or as two where the wires cut it. */
  #flush(): void {
    this.#isFlushing = false
    const peer = this.#peer
    if (peer === null || this.#outbox.length === 0) return
    const bytes = this.#outbox.length === 1 ? this.#outbox[0]! : Buffer.concat(this.#outbox)
    this.#outbox = []
    const random = this.#world.random('wires')
    if (this.#world.wires.weather.resets > 0 && random.uniform() < this.#world.wires.weather.resets) {
      this.#world.trace('reset', this.#machine.name, peer.#machine.name)
      this.#send(0, () => peer.onReset())
      this.#world.clock.after(0, () => this.destroy(failure('ECONNRESET', 'read')), this.owner)
      return
    }
    const at = bytes.byteLength > 1 && random.uniform() < 0.05 ? 1 + random.integer(bytes.byteLength - 1) : 0
    for (const piece of at === 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)]) {
      this.#send(piece.byteLength, () => peer.onData(piece))
    }
  }

  /** Sends over the wires; a machine that has no such connection (any more) answers what wants an answer with a reset. */
  #send(bytes: number, arrived: () => void, wantsAnswer = bytes > 0): void {
    const { clock, wires } = this.#world
    const peer = this.#peer
    const pipe = this.#pipe
    if (peer === null || pipe === null) return
    const receive = (): void => {
      if (bytes > 0) this.#world.trace('data', pipe.from.name, pipe.to.name, bytes)
      if (!peer.owner.isDead && !peer.destroyed) current.as(peer.owner, arrived)
      else if (wantsAnswer)
        wires.send(
          new Pipe(pipe.to, pipe.from),
          0,
          () => this.#hear(() => this.onReset()),
          () => {}
        )
    }
    wires.send(
      pipe,
      bytes,
      // a machine that stands still hears of it later
      () => (pipe.to.frozenUntil > clock.now ? clock.after(0, receive, peer.owner) : receive()),
      () => this.#hear(() => this.destroy(failure('ETIMEDOUT', 'write')))
    )
  }

  #hear(what: () => void): void {
    if (!this.owner.isDead) current.as(this.owner, what)
  }

  /** Tells the other end, which has dialed, that there is a connection. */
  accepted(): void {
    const peer = this.#peer!
    const connected = (): void => {
      peer.join(this)
      peer.emit('connect')
      peer.emit('ready')
    }
    this.#send(0, connected, true)
  }

  onData(bytes: Uint8Array): void {
    if (this.#hasEnded) return
    this.bytesRead += bytes.byteLength
    this.#unread.push(bytes)
    if (!this.#isPaused && this.listenerCount('data') > 0) this.#read()
  }

  #read(): void {
    while (this.#unread.length > 0 && !this.#isPaused && !this.destroyed && this.listenerCount('data') > 0) {
      const bytes = this.#unread.shift()!
      this.#peer?.acknowledge(bytes.byteLength)
      this.emit('data', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }
    if (this.#unread.length === 0 && this.#hasEnded && !this.destroyed) this.#finish()
  }

  /** What the other end has read makes room here. */
  acknowledge(bytes: number): void {
    this.#onWay -= bytes
    if (!this.#needsDrain || this.#onWay >= highWaterBytes / 2 || this.owner.isDead) return
    this.#needsDrain = false
    this.#world.clock.after(0, () => !this.destroyed && this.emit('drain'), this.owner)
  }

  onEnd(): void {
    if (this.destroyed || this.#hasEnded) return
    this.#hasEnded = true
    if (this.#unread.length === 0) this.#finish()
  }

  /** The other end has said all: so have we, since half open connections are off. */
  #finish(): void {
    this.emit('end')
    if (this.destroyed) return
    if (!this.writableEnded) this.end()
    this.#closeWhenDone()
  }

  onReset(): void {
    if (this.owner.isDead || this.destroyed) return
    const error = failure('ECONNRESET', 'read')
    this.#outbox = []
    this.#close(error)
  }

  #closeWhenDone(): void {
    if (this.writableEnded && this.#hasEnded && !this.destroyed) this.#close()
  }

  #close(error?: Error): void {
    if (this.destroyed) return
    this.destroyed = true
    this.connecting = false
    this.#forget()
    sockets.of(this.owner).delete(this)
    this.#world.clock.after(
      0,
      () => {
        if (error !== undefined) this.emit('error', error)
        this.emit('close', error !== undefined)
      },
      this.owner
    )
  }

  /** Its process has died: where the machine still runs it tells the other end. */
  #die(): void {
    this.#outbox = []
    const peer = this.#peer
    if (!this.#machine.isOn) {
      if (this.#pipe !== null) this.#pipe.isLost = true
    } else if (!this.destroyed) this.#send(0, () => peer?.onReset())
    this.destroyed = true
    sockets.of(this.owner).delete(this)
  }
}

/** Sockets that are open, by process. */
export const sockets = {
  all: new WeakMap<Incarnation, Set<VirtualSocket>>(),
  of(owner: Incarnation): Set<VirtualSocket> {
    const known = this.all.get(owner) ?? new Set()
    this.all.set(owner, known)
    return known
  }
}
