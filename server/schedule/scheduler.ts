// Schedules the device: one run at a time, urgent work first without starvation, round robin among peers, and
// compatible work in one batch. Knows no device.
import { delay, onAbort } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { BatchingWindow } from './batching-window.ts'
import { FairQueue } from './fair-queue.ts'
import { LoadMeter } from './load-meter.ts'
import { type MaxRate, restMs } from './rate-limit.ts'
import { TrainingYield } from './training-yield.ts'

/** Kinds of work, most urgent first: a user waits for each token. */
const priorities = ['decode', 'prefill', 'training'] as const
export type Priority = (typeof priorities)[number]

/** Work that is batched with other work of the same key, in one call. */
export interface Batchable<Item, Result> {
  readonly key: unknown
  readonly item: Item
  /** rows that it adds to a run */
  readonly rows: number
  /** most rows of a run, where rows are counted otherwise; default the scheduler's `maxRows` */
  readonly mostRows?: number
  /** owner of the work: the batch waits a moment for active owners */
  readonly member: object
  run(items: readonly Item[]): Promise<readonly Result[]>
}

/** Work in several runs of the device: where it yields, other work may run before it continues. */
export type Runs<T> = AsyncGenerator<void, T, void>

interface Job {
  readonly peerId: string
  readonly tokens: number
  readonly batch: Batchable<unknown, unknown> | null
  /** milliseconds of its runs so far */
  ms: number
  /** its turn has come */
  begin(): void
  /**
   * Its next run, alone; false if more runs follow and it waits again. Never rejects: the next job must run even if
   * this one fails.
   */
  start(): Promise<boolean>
  resolve(result: unknown): void
}

export interface JobOptions {
  readonly priority: Priority
  readonly peerId: string
  /** that are computed in one run, all rows together; default 0 */
  readonly tokens?: number
  readonly signal: AbortSignal
}

/** Minimum retry delay of refused requests. */
const leastRetryMs = 250

export interface SchedulerInit {
  /** jobs of one priority that may wait; more are refused */
  readonly maxLength: number
  /** maximum number of more urgent runs before waiting work */
  readonly maxPassed: Readonly<Record<Exclude<Priority, 'decode'>, number>>
  /** rows of one run */
  readonly maxRows: number
  /** default: no limit */
  readonly maxRate?: MaxRate
  /** milliseconds; for tests */
  readonly now?: () => number
}

export class Scheduler {
  readonly #queues: Record<Priority, FairQueue<Job>> = {
    decode: new FairQueue(),
    prefill: new FairQueue(),
    training: new FairQueue()
  }
  readonly #init: SchedulerInit
  readonly #batching = new BatchingWindow()
  readonly #trainingYield: TrainingYield
  readonly #now: () => number
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
    this.#now = init.now ?? (() => performance.now())
    this.#trainingYield = new TrainingYield({ now: this.#now })
  }

  /** jobs that wait */
  get length(): number {
    return priorities.reduce((sum, priority) => sum + this.#queues[priority].length, 0)
  }

  /** Recent waiting time of work with this priority. */
  waitMs(priority: Priority): number {
    return this.#load[priority].waitMs
  }

  /**
   * Runs `work` in its turn; work in several runs queues for each. Aborting removes it from the queue; a current run
   * still completes.
   * @throws SwarmError BUSY when the queue is full, or the error of the signal or the work
   */
  async run<T>(options: JobOptions, work: () => Promise<T> | Runs<T>): Promise<T> {
    return await this.#queue(options, work, null)
  }

  /** The same for work that can be done together with other work. Work that fails together is tried again each alone. */
  async join<Item, Result>(options: JobOptions, batch: Batchable<Item, Result>): Promise<Result> {
    // only steps of sessions follow each other
    if (options.priority !== 'training') this.#batching.arrive(batch.member)
    const alone = async (): Promise<Result> => (await batch.run([batch.item]))[0]!
    return await this.#queue(options, alone, batch as Batchable<unknown, unknown>)
  }

  /** Calls a function between runs: now, or after the current one. */
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
    work: () => Promise<T> | Runs<T>,
    batch: Batchable<unknown, unknown> | null
  ): Promise<T> {
    const queue = this.#queues[priority]
    signal.throwIfAborted()
    if (queue.length >= this.#init.maxLength) {
      // by then half of the queue is worked off
      const retryAfterMs = Math.max(leastRetryMs, (queue.length * this.#load[priority].runMs) / 2)
      throw new SwarmError(
        'BUSY',
        `${queue.length} ${priority} requests are already waiting: try again in ${Math.ceil(retryAfterMs)} ms, or another server`,
        { retryAfterMs }
      )
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const queuedAt = performance.now()
    let runs: Runs<T> | undefined
    const job: Job = {
      peerId,
      tokens,
      batch,
      ms: 0,
      begin: () => {
        if (runs === undefined) this.#load[priority].waited(performance.now() - queuedAt)
      },
      start: async () => {
        try {
          const under = runs ?? work()
          if (!(Symbol.asyncIterator in under)) {
            resolve(await under)
            return true
          }
          runs = under
          const { done, value } = await runs.next()
          if (done) {
            resolve(value)
            return true
          }
          signal.throwIfAborted()
          queue.resume(job)
          return false
        } catch (error) {
          reject(error)
          return true
        }
      },
      resolve: result => resolve(result as T)
    }
    const stop = onAbort(signal, () => {
      if (queue.remove(job)) reject(signal.reason)
    })
    queue.push(job)
    if (priority !== 'training') {
      this.#trainingYield.arrived(peerId)
      this.#wake()
    }
    this.#batching.enough(queue.length)
    void this.#drain()
    try {
      return await promise
    } finally {
      stop()
    }
  }

  #clear(): void {
    for (const work of this.#between.splice(0)) work()
  }

  async #drain(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.length > 0) {
      const priority = this.#choose()
      const yieldMs = priority === 'training' ? this.#trainingYield.waitMs(this.#queues.training.nextPeer ?? '') : 0
      if (yieldMs > 0) {
        await this.#standBack(yieldMs)
        continue
      }
      const { length } = this.#queues.decode
      if (priority === 'decode' && this.#batching.waitMs(length) > 0) await this.#batching.wait(length)
      const jobs = this.#take(priority)
      const started = this.#now()
      const isDone = await this.#start(jobs, priority)
      const ms = this.#now() - started
      for (const job of jobs) job.ms += ms
      if (isDone) this.#load[priority].ran(jobs[0]?.ms ?? 0)
      if (priority === 'training') this.#trainingYield.trained(ms)
      // a session that got a token wants the next one soon, however long it waited for this one
      else for (const { peerId } of jobs) this.#trainingYield.arrived(peerId)
      this.#clear()
      await this.#rest(ms, jobs)
    }
    this.#running = false
  }

  /** Training waits while other clients decode, until more urgent work arrives or the wait is over. */
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

  /** Applies the operator's rate limit. */
  async #rest(ms: number, jobs: readonly Job[]): Promise<void> {
    const { maxRate } = this.#init
    if (maxRate === undefined) return
    const rest = restMs({ ms, tokens: jobs.reduce((sum, { tokens }) => sum + tokens, 0) }, maxRate)
    if (rest > 0) await delay(rest)
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

  /** The next job and the jobs that can be batched with it. None if all were cancelled meanwhile. */
  #take(priority: Priority): Job[] {
    const queue = this.#queues[priority]
    const first = queue.shift()
    if (first?.batch == null) return first === undefined ? [] : [first]
    const { key, mostRows = this.#init.maxRows } = first.batch
    let rows = first.batch.rows
    const others = queue.take(({ batch }) => {
      if (batch === null || batch.key !== key || rows + batch.rows > mostRows) return false
      rows += batch.rows
      return true
    })
    return [first, ...others]
  }

  /** False if the work has more runs. */
  async #start(jobs: readonly Job[], priority: Priority): Promise<boolean> {
    for (const job of jobs) job.begin()
    const [first] = jobs
    if (first === undefined) return true
    if (first.batch === null) return await first.start()
    const started = performance.now()
    if (jobs.length === 1) await first.start()
    else {
      try {
        const results = await first.batch.run(jobs.map(job => job.batch!.item))
        for (const [index, job] of jobs.entries()) job.resolve(results[index])
      } catch {
        // one of them may be the cause, and the others must not fail with it
        for (const job of jobs) await job.start()
      }
    }
    if (priority !== 'training') this.#batching.ran(performance.now() - started)
    return true
  }
}
