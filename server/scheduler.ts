// Who computes next. One run at a time on the device; decode before training; among peers in turn. Knows no device.
import { SwarmError } from '../common/errors.ts'

/** Kinds of work, the more urgent first: somebody waits for each token. */
export const priorities = ['decode', 'training'] as const
export type Priority = (typeof priorities)[number]

interface Job {
  readonly peerId: string
  start(): Promise<void>
}

/** Jobs of one priority, taken from the peers in turn. Pure data. */
export class FairQueue {
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

export class Scheduler {
  readonly #queues = new Map(priorities.map(priority => [priority, new FairQueue()]))
  readonly #maxLength: number
  #running = false

  /** @param maxLength jobs that may wait; more are refused */
  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  get length(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0)
  }

  /**
   * Runs `work` when its turn comes. Aborting takes it out of the queue; work under way goes to its end.
   * @throws SwarmError BUSY when the queue is full, else what the signal or the work throws
   */
  run<T>(options: { priority: Priority; peerId: string; signal: AbortSignal }, work: () => Promise<T>): Promise<T> {
    const { signal } = options
    signal.throwIfAborted()
    if (this.length >= this.#maxLength) {
      throw new SwarmError('BUSY', `${this.length} requests wait already: try again in a moment, or another server`)
    }
    const queue = this.#queues.get(options.priority)!
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        if (queue.remove(job)) reject(signal.reason)
      }
      const job: Job = {
        peerId: options.peerId,
        start: () => {
          signal.removeEventListener('abort', onAbort)
          return work().then(resolve, reject)
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
    for (const priority of priorities) {
      const job = this.#queues.get(priority)!.shift()
      if (job !== undefined) return job
    }
    return undefined
  }
}
