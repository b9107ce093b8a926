// What lies between the machines: latency, lost packets, partitions. Carries bytes in order, as TCP does; knows no sockets.

import type { Random } from '../../common/random.ts'
import type { Clock } from './clock.ts'
import type { Machine } from './machine.ts'

/** How the wires are; times in milliseconds. */
export interface Weather {
  /** one way between two machines: the least, and what is drawn on top of it */
  latencyMs: number
  jitterMs: number
  /** bytes per millisecond of one connection */
  bytesPerMs: number
  /** probability that a packet has to be sent again */
  loss: number
  /** probability that a connection is reset, for each packet */
  resets: number
}

const calm: Weather = { latencyMs: 2, jitterMs: 3, bytesPerMs: 12_500, loss: 0, resets: 0 }

/** first time after which a packet is sent again, doubled for each further one, and the longest */
const [retransmitMs, maxRetransmitMs] = [200, 60_000]
/** A packet that cannot be delivered for so long ends its connection. */
const giveUpMs = 15 * 60_000

/** What wires need of their world. */
interface Surroundings {
  readonly clock: Clock
  random(stream: 'wires'): Random
}

/** What is on its way. */
interface Sent {
  /** when it arrives, unless what was sent before it comes later */
  readonly at: number
  readonly since: number
  readonly arrived: () => void
  readonly lost: () => void
}

/** One direction of a connection: what is on its way, in order. */
export class Pipe {
  readonly from: Machine
  readonly to: Machine
  readonly queue: Sent[] = []
  /** what is on its way is lost: its sender has no power */
  isLost = false

  constructor(from: Machine, to: Machine) {
    this.from = from
    this.to = to
  }
}

export class Wires {
  readonly weather: Weather = { ...calm }
  readonly #world: Surroundings
  /** by `from to`: reasons why nothing passes from one machine to another */
  readonly #cuts = new Map<string, number>()

  constructor(world: Surroundings) {
    this.#world = world
  }

  /** Nothing passes from one machine to another from now on, nor back unless that is `oneWay`. */
  cut(from: Machine, to: Machine, oneWay = false): void {
    this.#count(from, to, 1)
    if (!oneWay) this.#count(to, from, 1)
  }

  /** Takes one `cut` back. */
  mend(from: Machine, to: Machine, oneWay = false): void {
    this.#count(from, to, -1)
    if (!oneWay) this.#count(to, from, -1)
  }

  #count(from: Machine, to: Machine, by: number): void {
    const key = `${from.name} ${to.name}`
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + by)
  }

  get isBad(): boolean {
    return Object.entries(calm).some(([name, value]) => this.weather[name as keyof Weather] !== value)
  }

  /** Good weather again. */
  clear(): void {
    Object.assign(this.weather, calm)
  }

  passes(from: Machine, to: Machine): boolean {
    return to.isOn && from.isOn && (this.#cuts.get(`${from.name} ${to.name}`) ?? 0) === 0
  }

  /**
   * Sends something of so many bytes after what was sent before it. `arrived` runs for the receiver when it has come;
   * `lost` for the sender where it has tried for a quarter of an hour.
   */
  send(pipe: Pipe, bytes: number, arrived: () => void, lost: () => void): void {
    const { clock } = this.#world
    const random = this.#world.random('wires')
    const { latencyMs, jitterMs, bytesPerMs, loss } = this.weather
    let ms = latencyMs + jitterMs * random.uniform() + bytes / bytesPerMs
    for (let wait = retransmitMs; loss > 0 && random.uniform() < loss; wait *= 2) ms += Math.min(wait, maxRetransmitMs)
    pipe.queue.push({ at: clock.now + ms, since: clock.now, arrived, lost })
    if (pipe.queue.length === 1) this.#await(pipe, ms, retransmitMs)
  }

  /** Delivers the first in the queue in so many milliseconds; where nothing passes then, tries again later. */
  #await(pipe: Pipe, ms: number, wait: number): void {
    const { clock } = this.#world
    const [first] = pipe.queue
    const arrive = (): void => {
      if (pipe.isLost) return
      const { since, arrived, lost } = first!
      const isPassing = this.passes(pipe.from, pipe.to)
      if (!isPassing && clock.now - since <= giveUpMs) {
        this.#await(pipe, wait, Math.min(2 * wait, maxRetransmitMs))
        return
      }
      pipe.queue.shift()
      if (pipe.queue.length > 0) this.#await(pipe, pipe.queue[0]!.at - clock.now, retransmitMs)
      if (isPassing) arrived()
      else lost()
    }
    clock.after(ms, arrive, null)
  }
}
