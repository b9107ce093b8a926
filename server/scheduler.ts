// Who computes next. One run at a time on the device; the more urgent first, but not for ever; among peers in turn; what can be
// computed together at once. Knows no device.
import { SwarmError } from '../common/errors.ts'
import { Courtesy } from './courtesy.ts'
import { Gathering } from './gathering.ts'
import { LoadMeter } from './load-meter.ts'
import { type MaxRate, restMs } from './pace.ts'

/** Kinds of work, the more urgent first: somebody waits for each token. */
export const priorities = ['decode', 'prefill', 'training'] as const
export type Priority = (typeof priorities)[number]

/** Jobs of one priority, taken from the peers in turn. Pure data. */
export class FairQueue<Job extends { readonly peerId: string }> {
  /** the peer whose turn it is first */
  readonly #byPeer = new Map<string, Job[]>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** whose turn it is */
  get nextPeer(): string | undefined {
    return this.#byPeer.keys().next().value
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

  /** Those of the jobs that `fits` takes, asked in turn as `shift` would give them. */
  take(fits: (job: Job) => boolean): Job[] {
    const passed: Job[] = []
    const taken: Job[] = []
    for (let job = this.shift(); job !== undefined; job = this.shift()) (fits(job) ? taken : passed).push(job)
    for (const job of passed) this.push(job)
    return taken
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

/** Work that is done together with other work of the same key, by one call for all of it. */
export interface Batchable<Item, Result> {
  readonly key: unknown
  readonly item: Item
  /** rows that it adds to a run */
  readonly rows: number
  /** whose work it is: those who come back are waited for a moment */
  readonly member: object
  run(items: readonly Item[]): Promise<readonly Result[]>
}

interface Job {
  readonly peerId: string
  readonly tokens: number
  readonly batch: Batchable<unknown, unknown> | null
  /** out of the queue: nothing takes it back any more */
  begin(): void
  /** alone. Never rejects: the next job must have its turn whatever becomes of this one */
  start(): Promise<void>
  resolve(result: unknown): void
}

export interface JobOptions {
  readonly priority: Priority
  readonly peerId: string
  /** that are computed, all rows together; default 0 */
  readonly tokens?: number
  readonly signal: AbortSignal
}

/** Those who are refused shall not come back sooner. */
const leastRetryMs = 250

export interface SchedulerInit {
  /** jobs of one priority that may wait; more are refused */
  readonly maxLength: number
  /** runs of more urgent work that go before work that waits */
  readonly maxPassed: Readonly<Record<Exclude<Priority, 'decode'>, number>>
  /** rows of one run */
  readonly maxRows: number
  /** default: no limit */
  readonly maxRate?: MaxRate
}

export class Scheduler {
  readonly #queues: Record<Priority, FairQueue<Job>> = {
    decode: new FairQueue(),
    prefill: new FairQueue(),
    training: new FairQueue()
  }
  readonly #init: SchedulerInit
  readonly #gathering = new Gathering()
  readonly #courtesy = new Courtesy()
  #wake: () => void = () => {}
  /** runs that went before work of this priority that waited */
  readonly #passed: Record<Priority, number> = { decode: 0, prefill: 0, training: 0 }
  readonly #load: Record<Priority, LoadMeter> = {
    decode: new LoadMeter(),
    prefill: new LoadMeter(),
    training: new LoadMeter()
  }
  #running = false
  readonly #between: (() => void)[] = []

  constructor(init: SchedulerInit) {
    this.#init = init
  }

  /** jobs that wait */
  get length(): number {
    return priorities.reduce((sum, priority) => sum + this.#queues[priority].length, 0)
  }

  /** How long work of this priority waited for its turn, lately. */
  waitMs(priority: Priority): number {
    return this.#load[priority].waitMs
  }

  /**
   * Runs `work` when its turn comes. Aborting takes it out of the queue; work under way goes to its end.
   * @throws SwarmError BUSY when the queue is full, else what the signal or the work throws
   */
  async run<T>(options: JobOptions, work: () => Promise<T>): Promise<T> {
    return await this.#queue(options, work, null)
  }

  /** The same for work that can be done together with other work. Work that fails together is tried again each alone. */
  async join<Item, Result>(options: JobOptions, batch: Batchable<Item, Result>): Promise<Result> {
    this.#gathering.arrive(batch.member)
    const alone = async (): Promise<Result> => (await batch.run([batch.item]))[0]!
    return await this.#queue(options, alone, batch as Batchable<unknown, unknown>)
  }

  /** Does something when no run is under way: now, or after the present one. */
  between(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
      if (!this.#running) this.#clear()
    })
  }

  async #queue<T>(
    { priority, peerId, tokens = 0, signal }: JobOptions,
    work: () => Promise<T>,
    batch: Batchable<unknown, unknown> | null
  ): Promise<T> {
    const queue = this.#queues[priority]
    signal.throwIfAborted()
    if (queue.length >= this.#init.maxLength) {
      // by then half of the queue is worked off
      const retryAfterMs = Math.max(leastRetryMs, (queue.length * this.#load[priority].runMs) / 2)
      throw new SwarmError(
        'BUSY',
        `${queue.length} ${priority} requests wait already: try again in ${Math.ceil(retryAfterMs)} ms, or another server`,
        { retryAfterMs }
      )
    }
    return await new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        if (queue.remove(job)) reject(signal.reason)
      }
      const queuedAt = performance.now()
      const job: Job = {
        peerId,
        tokens,
        batch,
        begin: () => {
          signal.removeEventListener('abort', onAbort)
          this.#load[priority].waited(performance.now() - queuedAt)
        },
        start: async () => {
          try {
            resolve(await work())
          } catch (error) {
            reject(error)
          }
        },
        resolve: result => resolve(result as T)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      queue.push(job)
      if (priority !== 'training') {
        this.#courtesy.arrived(peerId)
        this.#wake()
      }
      this.#gathering.enough(queue.length)
      void this.#drain()
    })
  }

  #clear(): void {
    for (const work of this.#between.splice(0)) work()
  }

  async #drain(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.length > 0) {
      const priority = this.#choose()
      const courtesyMs = priority === 'training' ? this.#courtesy.waitMs(this.#queues.training.nextPeer ?? '') : 0
      if (courtesyMs > 0) {
        await this.#standBack(courtesyMs)
        continue
      }
      const { length } = this.#queues.decode
      if (priority === 'decode' && this.#gathering.waitMs(length) > 0) await this.#gathering.wait(length)
      const jobs = this.#take(priority)
      const started = performance.now()
      await this.#start(jobs)
      const ms = performance.now() - started
      this.#load[priority].ran(ms)
      if (priority === 'training') this.#courtesy.trained(ms)
      this.#clear()
      await this.#rest(ms, jobs)
    }
    this.#running = false
  }

  /** Training waits while others decode, until more urgent work comes or its time has come. */
  async #standBack(ms: number): Promise<void> {
    if (this.#queues.decode.length + this.#queues.prefill.length > 0) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, Math.ceil(ms))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => {}
  }

  /** Where the operator gives a part of the machine only. */
  async #rest(ms: number, jobs: readonly Job[]): Promise<void> {
    const { maxRate } = this.#init
    if (maxRate === undefined) return
    const rest = restMs({ ms, tokens: jobs.reduce((sum, { tokens }) => sum + tokens, 0) }, maxRate)
    if (rest > 0) await new Promise(resolve => setTimeout(resolve, rest))
  }

  /** The most urgent that waits, unless a less urgent has been passed over often enough. */
  #choose(): Priority {
    const waiting = priorities.filter(priority => this.#queues[priority].length > 0)
    const most = (priority: Priority): number => (priority === 'decode' ? Infinity : this.#init.maxPassed[priority])
    const chosen = waiting.findLast(priority => this.#passed[priority] >= most(priority)) ?? waiting[0]!
    for (const priority of priorities) {
      const isPassed = priority !== chosen && this.#queues[priority].length > 0
      this.#passed[priority] = isPassed ? this.#passed[priority] + 1 : 0
    }
    return chosen
  }

  /** The next job, and those that can be done together with it. None where all were taken back meanwhile. */
  #take(priority: Priority): Job[] {
    const queue = this.#queues[priority]
    const first = queue.shift()
    if (first?.batch == null) return first === undefined ? [] : [first]
    const { key } = first.batch
    let rows = first.batch.rows
    const others = queue.take(({ batch }) => {
      if (batch === null || batch.key !== key || rows + batch.rows > this.#init.maxRows) return false
      rows += batch.rows
      return true
    })
    return [first, ...others]
  }

  async #start(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) job.begin()
    const [first] = jobs
    if (first?.batch == null) return await first?.start()
    const started = performance.now()
    if (jobs.length === 1) await first.start()
    else {
      try {
        const results = await first.batch.run(jobs.map(job => job.batch!.item))
        for (const [index, job] of jobs.entries()) job.resolve(results[index])
      } catch {
        // one of them may be the reason: the others shall not suffer for it
        for (const job of jobs) await job.start()
      }
    }
    this.#gathering.ran(performance.now() - started)
  }
}
