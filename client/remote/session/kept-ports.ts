// Which servers keep which adapters, as they have said: what they keep need not be sent again. Knows no stream.
import { settled, unlessAborted } from '../../../common/async.ts'

/** servers and adapters that are remembered; what is forgotten is sent again */
const mostRemembered = 10_000

const nameOf = (peerId: string, hash: Uint8Array): string =>
  `${peerId} ${Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('')}`

/** How a session is opened at a server. */
export interface PortsOpening<T> {
  /** by the ports' hash; null where the server does not keep them any more */
  byHash(): Promise<T | null>
  /** with the ports themselves */
  byTensors(): Promise<T>
  /** whether the server says that it keeps them */
  isKept(opened: T): boolean
}

export class KeptPorts {
  /** the oldest first */
  readonly #kept = new Set<string>()
  /** servers that did not keep what they were sent last */
  readonly #forgetful = new Set<string>()
  /** never reject */
  readonly #sending = new Map<string, Promise<void>>()

  /** Opens a session; of several at once at a server that may keep the ports one sends them, and the others wait for its answer. */
  async open<T>(peerId: string, hash: Uint8Array, opening: PortsOpening<T>, signal?: AbortSignal): Promise<T> {
    const name = nameOf(peerId, hash)
    while (this.#sending.has(name) && !this.#forgetful.has(peerId)) {
      await unlessAborted(this.#sending.get(name)!, signal)
    }
    if (this.#kept.has(name)) {
      const opened = await opening.byHash()
      if (opened !== null) return opened
      this.#kept.delete(name)
      return await this.open(peerId, hash, opening, signal)
    }
    const sending = this.#send(name, peerId, opening)
    const ended = settled(sending).then(() => {
      if (this.#sending.get(name) === ended) this.#sending.delete(name)
    })
    this.#sending.set(name, ended)
    return await sending
  }

  async #send<T>(name: string, peerId: string, { byTensors, isKept }: PortsOpening<T>): Promise<T> {
    const opened = await byTensors()
    if (isKept(opened)) {
      this.#forgetful.delete(peerId)
      this.#kept.delete(name)
      this.#kept.add(name)
      if (this.#kept.size > mostRemembered) this.#kept.delete(this.#kept.values().next().value!)
    } else {
      this.#forgetful.add(peerId)
      if (this.#forgetful.size > mostRemembered) this.#forgetful.clear()
    }
    return opened
  }
}
