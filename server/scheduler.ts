// Who computes next. One run at a time on the device; decode before training, but not for ever; among peers in turn.
// Knows no device.
import { SwarmError } from '../common/errors.ts'

/** Kinds of work, the more urgent first: somebody waits for each token. */
export const priorities = ['decode', 'training'] as const
export type Priority = (typeof priorities)[number]

/** Jobs of one priority, taken from the peers in turn. Pure data. */
export class FairQueue<Job extends { readonly peerId: string }> {
  /** the peer whose turn it is first */
  readonly #byPeer = new Map<string, Job[]>()
  #length = 0

  get length(): number {
    return this.#length
  }

  push(job: Job): void {
    const jobs = this.#byPeer.get(job.peerId)
    if (jobs === undefined) this.#byPeer.set(job.peerId, [job])
    else jobs.push(job)
    this.#length += 1
  }

  /** The oldest job of the peer whose turn it is, which then goes to the end of the row. */
  shift(): Job | undefined {
    const next = this.#byPeer.entries().next()
    if (next.done) return undefined
    const [peerId, jobs] = next.value
    this.#byPeer.delete(peerId)
    const job = jobs.shift()!
    if (jobs.length > 0) this.#byPeer.set(peerId, jobs)
    this.#length -= 1
    return job
  }

  remove(job: Job): boolean {
    const jobs = this.#byPeer.get(job.peerId)
    const index = jobs?.indexOf(job) ?? -1
    if (jobs === undefined || index === -1) return false
    jobs.splice(index, 1)
    if (jobs.length === 0) this.#byPeer.delete(job.peerId)
    this.#length -= 1
    return true
  }
}

interface Job {
  readonly peerId: string
  start(): Promise<void>
}

export interface SchedulerInit {
  /** jobs of one priority that may wait; more are refused */
  readonly maxLength: number
  /** decode jobs in a row while training waits */
  readonly maxDecodeRun: number
}

export class Scheduler {
  readonly #queues: Record<Priority, FairQueue<Job>> = { decode: new FairQueue(), training: new FairQueue() }
  readonly #init: SchedulerInit
  #running = false
  /** decode jobs that went before training that waited */
  #decodeRun = 0

  constructor(init: SchedulerInit) {
    this.#init = init
  }

  /** jobs that wait */
  get length(): number {
    return priorities.reduce((sum, priority) => sum + this.#queues[priority].length, 0)
  }

  /**
   * Runs `work` when its turn comes. Aborting takes it out of the queue; work under way goes to its end.
   * @throws SwarmError BUSY when the queue is full, else what the signal or the work throws
   */
  async run<T>(
    options: { priority: Priority; peerId: string; signal: AbortSignal },
    work: () => Promise<T>
  ): Promise<T> {
    const { priority, peerId, signal } = options
    const queue = this.#queues[priority]
    signal.throwIfAborted()
    if (queue.length >= this.#init.maxLength) {
      throw new SwarmError(
        'BUSY',
        `${queue.length} ${priority} requests wait already: try again in a second, or another server`
      )
    }
    return await new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        if (queue.remove(job)) reject(signal.reason)
      }
      const job: Job = {
        peerId,
        // never rejects: the next job must have its turn whatever becomes of this one
        start: async () => {
          signal.removeEventListener('abort', onAbort)
          try {
            resolve(await work())
          } catch (error) {
            reject(error)
          }
        }
      }
      signal.addEventListener('abort', onAbort, { once: true })
      queue.push(job)
      void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    if (this.#running) return
    this.#running = true
    for (let job = this.#next(); job !== undefined; job = this.#next()) await job.start()
    this.#running = false
  }

  #next(): Job | undefined {
    const { decode, training } = this.#queues
    if (training.length > 0 && decode.length > 0 && this.#decodeRun < this.#init.maxDecodeRun) {
      this.#decodeRun += 1
      return decode.shift()
    }
    this.#decodeRun = 0
    return training.shift() ?? decode.shift()
  }
}
