// One way of a connection through the proxy: pieces wait for their time and their turn.
import type { Socket } from 'node:net'

/** What happens to the bytes of a link, either way. */
export interface ProxyWeather {
  /** later than they came; order stays */
  readonly delayMs: number
  /** at most, each way */
  readonly bytesPerSecond: number
  /** nothing gets through, new connections included, and nobody is told; what waits goes on with the thaw */
  readonly isFrozen: boolean
  /** new connections are reset */
  readonly isRefused: boolean
}

/** What waits in the proxy before it stops reading. */
const mostWaitingBytes = 1024 * 1024

interface Piece {
  readonly bytes: Buffer
  readonly comesAt: number
}

export interface PipeInit {
  /** now */
  readonly weather: () => ProxyWeather
  /** resets the connection */
  readonly cut: () => void
  /** a bit was turned over */
  readonly corrupted: () => void
}

export class ProxyPipe {
  readonly #to: Socket
  readonly #from: Socket
  readonly #weather: () => ProxyWeather
  readonly #cut: () => void
  readonly #corrupted: () => void
  readonly #pieces: Piece[] = []
  #waiting = 0
  /** when the link has room for another piece */
  #freeAt = 0
  #timer: NodeJS.Timeout | undefined
  #bytesLeft = Number.POSITIVE_INFINITY
  #corruptsFrom = Number.POSITIVE_INFINITY

  constructor({ from, to }: { from: Socket; to: Socket }, { weather, cut, corrupted }: PipeInit) {
    this.#from = from
    this.#to = to
    this.#weather = weather
    this.#cut = cut
    this.#corrupted = corrupted
    from.on('data', bytes => this.#take(bytes as Buffer))
    from.on('end', () => this.#take(Buffer.alloc(0)))
    to.on('drain', () => this.wake())
  }

  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes
  }

  corrupt(least: number): void {
    this.#corruptsFrom = least
  }

  /** The weather has changed. */
  wake(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pass()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#pieces.length = 0
  }

  #take(bytes: Buffer): void {
    this.#pieces.push({ bytes, comesAt: performance.now() })
    this.#waiting += bytes.length
    if (this.#waiting > mostWaitingBytes) this.#from.pause()
    this.#pass()
  }

  /** Lets through what is due. */
  #pass(): void {
    const { delayMs, bytesPerSecond, isFrozen } = this.#weather()
    if (isFrozen || this.#timer !== undefined) return
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      const due = Math.max(piece.comesAt + delayMs, this.#freeAt)
      const wait = due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.wake(), wait)
        return
      }
      if (this.#to.writableNeedDrain) return
      this.#freeAt = Math.max(performance.now(), this.#freeAt) + (1000 * piece.bytes.length) / bytesPerSecond
      this.#pieces.shift()
      this.#waiting -= piece.bytes.length
      if (this.#waiting <= mostWaitingBytes && this.#from.isPaused()) this.#from.resume()
      this.#send(piece.bytes)
    }
  }

  #send(bytes: Buffer): void {
    if (bytes.length === 0) return void this.#to.end()
    if (bytes.length >= this.#corruptsFrom) {
      this.#corruptsFrom = Number.POSITIVE_INFINITY
      bytes[bytes.length >> 1]! ^= 1
      this.#corrupted()
    }
    if (bytes.length < this.#bytesLeft) {
      this.#bytesLeft -= bytes.length
      this.#to.write(bytes)
      return
    }
    // the beginning must arrive before the reset does
    this.#to.write(bytes.subarray(0, this.#bytesLeft), () => this.#cut())
    this.#bytesLeft = Number.POSITIVE_INFINITY
  }
}
