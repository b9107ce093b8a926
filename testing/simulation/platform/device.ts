// The device thread of a process, on the caller's thread: the same requests, one after the other, with a time that each takes.
import worker from 'node:worker_threads'
import type { DeviceMessage, DeviceRequest } from '../../../runtime/device-protocol.ts'
import { current, type Incarnation } from '../machine.ts'
import type { World } from '../world.ts'

type Listener = (value: unknown) => void
type Devices = { InlineDevice: new () => { request(request: DeviceRequest): Promise<object> } }

/** What a simulated machine takes for a request: to compile a graph, and to run one. */
const compileMs = 15
const [runMs, runMsPerKiB] = [0.4, 0.02]

function bytesOf(request: DeviceRequest): number {
  if (request.kind !== 'run') return 0
  return Object.values(request.feeds).reduce((sum, { data }) => sum + data.byteLength, 0)
}

/** Requests of one process, in turn. */
interface Queue {
  last: Promise<void>
  readonly sessions: Set<number>
}

export interface DeviceReadings {
  /** sessions that are open, by process */
  sessionsOf(process: Incarnation): number
}

/** Puts one that computes on this thread in the place of `Worker`. @param world the world of the moment */
export function replaceDeviceThread(world: () => World): DeviceReadings {
  const queues = new Map<Incarnation | undefined, Queue>()
  let devices: Promise<InstanceType<Devices['InlineDevice']>> | undefined
  const load = async () => {
    const { InlineDevice } = (await import('../../../runtime/ort.ts')) as Devices
    return new InlineDevice()
  }

  class VirtualWorker {
    readonly #listeners = new Map<string, Listener[]>()

    constructor(url: URL) {
      if (!/device-thread\.[jt]s$/.test(url.pathname)) throw new Error(`worker ${url.href}: not simulated`)
      devices ??= load()
    }

    on(event: string, listener: Listener): this {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
      return this
    }

    ref(): void {}

    unref(): void {}

    postMessage(message: DeviceMessage, transfer: ArrayBuffer[] = []): void {
      const owner = current()
      const sent = structuredClone(message, { transfer })
      const queue = queues.get(owner) ?? this.#open(owner)
      queue.last = queue.last.then(() => this.#serve(sent, owner, queue))
    }

    #open(owner: Incarnation | undefined): Queue {
      const queue: Queue = { last: Promise.resolve(), sessions: new Set() }
      queues.set(owner, queue)
      if (owner === undefined) return queue
      world().onDeath(owner, () => {
        queues.delete(owner)
        void this.#release(queue.sessions)
      })
      return queue
    }

    /** Sessions of a process that is no more. */
    async #release(sessions: ReadonlySet<number>): Promise<void> {
      const device = await devices!
      for (const session of sessions) await device.request({ kind: 'release', session })
    }

    async #serve({ id, request }: DeviceMessage, owner: Incarnation | undefined, queue: Queue): Promise<void> {
      if (owner !== undefined) await this.#take(request, owner)
      let answer: object
      try {
        const result = await (await devices!).request(request)
        if ('session' in result) queue.sessions.add(result.session as number)
        if (request.kind === 'release') queue.sessions.delete(request.session)
        answer = { id, result }
      } catch (error) {
        answer = { id, error: { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) } }
      }
      for (const listener of this.#listeners.get('message') ?? []) listener(answer)
    }

    /** Lets the time pass that the request takes. */
    #take(request: DeviceRequest, owner: Incarnation): Promise<void> {
      const { clock } = world()
      const jitter = 0.8 + 0.4 * world().random('device').uniform()
      const ms =
        request.kind === 'create'
          ? compileMs
          : request.kind === 'run'
            ? runMs + (runMsPerKiB * bytesOf(request)) / 1024
            : 0
      return new Promise(resolve => clock.after(ms * jitter * owner.machine.slowness, resolve, owner))
    }
  }

  Object.assign(worker, { Worker: VirtualWorker })
  return { sessionsOf: process => queues.get(process)?.sessions.size ?? 0 }
}
