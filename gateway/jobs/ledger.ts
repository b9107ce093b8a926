// The records and events of jobs: written to the store, sent to watchers. Knows no training.
import type { Logger, MetricsLine } from '../../client/index.ts'
import { onAbort } from '../../common/async.ts'
import { second } from '../../common/units.ts'
import { ApiError } from '../errors.ts'
import type { EventRow, JobState, JobStore } from '../storage/jobs.ts'
import type { Page, PageRequest } from '../storage/pages.ts'
import { type JobChange, JobWatcher } from './changes.ts'
import { newId, unixTime } from './ids.ts'
import { endStates, fromRow, type Job, toRow } from './job.ts'

/** The step of a running job is written to the store this often; a restart asks its checkpoints, not the store. */
const saveIntervalMs = second

export class JobLedger {
  readonly #jobs: JobStore
  readonly #logger: Logger
  /** by the job's id */
  readonly #watchers = new Map<string, Set<JobWatcher>>()
  /** jobs that something is done with, by id: their records change */
  readonly #live = new Map<string, Job>()
  /** records that the store has not, since its disk was full */
  readonly #unsaved = new Map<string, Job>()
  #savedAt = 0

  constructor({ jobs, logger }: { readonly jobs: JobStore; readonly logger: Logger }) {
    this.#jobs = jobs
    this.#logger = logger
  }

  /** Throws ApiError 404. */
  get(id: string): Job {
    const live = this.#live.get(id) ?? this.#unsaved.get(id)
    if (live !== undefined) return live
    const row = this.#jobs.get(id)
    if (row !== null) return fromRow(row)
    throw new ApiError(`no fine-tuning job '${id}' here; GET /v1/fine_tuning/jobs lists what there is`, {
      status: 404,
      type: 'invalid_request_error',
      code: 'fine_tune_not_found',
      param: 'fine_tuning_job_id'
    })
  }

  /** The newest first. Throws ApiError 404 for an unknown `after`. */
  list(page: Parameters<JobStore['list']>[0]): Page<Job> {
    const found = this.#jobs.list(page)
    if (found === null) return this.get(page.after!) && { data: [], hasMore: false }
    return { ...found, data: found.data.map(({ id }) => this.get(id)) }
  }

  /** Events of a job. Throws ApiError 404. */
  events(id: string, page: PageRequest): Page<EventRow> {
    this.get(id)
    const found = this.#jobs.events(id, page)
    if (found !== null) return found
    throw new ApiError(`after: job '${id}' has no event '${page.after}'`, { status: 404, param: 'after' })
  }

  /** In the order in which they were made. */
  inStates(...states: readonly JobState[]): Job[] {
    return this.#jobs.inStates(states).map(fromRow)
  }

  /** Jobs whose models are served. */
  withModels(): Job[] {
    return this.#jobs.withModels().map(fromRow)
  }

  /** The job whose model is served under this name; null for another model. */
  ofModel(name: string): Job | null {
    const row = this.#jobs.ofModel(name)
    return row && this.get(row.id)
  }

  has(id: string): boolean {
    return this.#jobs.get(id) !== null
  }

  /** Throws where the store has no room. */
  add(job: Job): void {
    this.#jobs.put(toRow(job))
  }

  /** Forgets a job and its events. */
  remove(id: string): void {
    this.#unsaved.delete(id)
    this.#jobs.remove(id)
  }

  /** From now on this record is the job's. */
  open(job: Job): void {
    this.#live.set(job.id, job)
  }

  /** From now on the store's record is the job's. */
  close({ id }: Job): void {
    this.#live.delete(id)
  }

  /**
   * What happens to a job from this call on, until it has ended or the signal aborts. Throws ApiError 404.
   */
  watch(id: string, signal: AbortSignal): AsyncGenerator<JobChange> {
    const watcher = new JobWatcher()
    if (endStates.has(this.get(id).state)) watcher.end()
    else this.#watchOver(id, watcher, signal)
    return watcher.read(signal)
  }

  #watchOver(id: string, watcher: JobWatcher, signal: AbortSignal): void {
    const watchers = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, watchers.add(watcher))
    onAbort(signal, () => {
      watchers.delete(watcher)
      if (watchers.size === 0) this.#watchers.delete(id)
    })
  }

  /** Puts a job into a state. */
  enter(job: Job, state: JobState): void {
    job.state = state
    this.#save(job)
    this.tell(job.id, { type: 'job', job: { ...job } })
  }

  update(job: Job, changes: Partial<Job>): void {
    Object.assign(job, changes)
    this.#save(job)
  }

  /** Records how far a job is, in the store once a second. */
  progress(job: Job): void {
    if (performance.now() - this.#savedAt > saveIntervalMs) this.#save(job)
    this.tell(job.id, { type: 'job', job: { ...job } })
  }

  /** A full disk must neither end the process nor lose a record: memory keeps it until there is room. */
  #save(job: Job): void {
    this.#savedAt = performance.now()
    for (const each of [...this.#unsaved.values(), job]) {
      try {
        this.#jobs.put(toRow(each))
        this.#unsaved.delete(each.id)
      } catch (error) {
        this.#unsaved.set(each.id, each)
        this.#logger.error({ job: each.id, err: error }, "a job's state could not be written")
      }
    }
  }

  /** Records what a step or an evaluation measured. */
  metrics(job: Job, line: MetricsLine): void {
    this.tell(job.id, { type: 'metrics', line })
    const { step, loss, eval_loss: evaluated, learning_rate: learningRate } = line
    const isTraining = typeof loss === 'number'
    const measure = isTraining ? `training loss=${loss.toFixed(4)}` : `validation loss=${Number(evaluated).toFixed(4)}`
    const data = isTraining ? { step, train_loss: loss, learning_rate: learningRate } : { step, valid_loss: evaluated }
    this.event(job, 'info', `Step ${step}/${job.total}: ${measure}`, data)
  }

  event(job: Job, level: EventRow['level'], message: string, data?: object): void {
    const event: EventRow = {
      id: newId('ftevent'),
      job: job.id,
      created: unixTime(),
      level,
      type: data === undefined ? 'message' : 'metrics',
      message,
      data: data === undefined ? null : JSON.stringify(data)
    }
    try {
      this.#jobs.addEvent(event)
    } catch (error) {
      this.#logger.error({ job: job.id, err: error }, "a job's event could not be written")
    }
    this.tell(job.id, { type: 'event', event })
  }

  tell(id: string, change: JobChange): void {
    const hasEnded = change.type === 'job' && endStates.has(change.job.state)
    for (const watcher of this.#watchers.get(id) ?? []) {
      watcher.push(change)
      if (hasEnded) watcher.end()
    }
    if (hasEnded) this.#watchers.delete(id)
  }
}
