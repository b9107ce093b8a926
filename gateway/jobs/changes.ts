// Changes of a job for one watcher: in order, each once, at most a few hundred in memory. Knows no store.
import type { MetricsLine } from '../../client/index.ts'
import { onAbort } from '../../common/async.ts'
import { ApiError } from '../errors.ts'
import type { EventRow } from '../storage/jobs.ts'
import type { Job } from './job.ts'

/** What happens to a job, for those who watch it. */
export type JobChange =
  | { readonly type: 'job'; readonly job: Job }
  | { readonly type: 'event'; readonly event: EventRow }
  | { readonly type: 'metrics'; readonly line: MetricsLine }
  /** lines after this step are made anew */
  | { readonly type: 'resumed'; readonly step: number }

/** changes that wait for a reader; some hundred steps */
const most = 1000

/** One reader of a job's changes. */
export class JobWatcher {
  #waiting: JobChange[] = []
  #wake: (() => void) | null = null
  #isOver = false
  #isLate = false

  /** Takes a change. Keeps only the newest of the job's unread states. */
  push(change: JobChange): void {
    if (this.#isLate) return
    if (change.type === 'job') this.#waiting = this.#waiting.filter(({ type }) => type !== 'job')
    this.#waiting.push(change)
    if (this.#waiting.length > most) {
      this.#isLate = true
      this.#waiting = []
    }
    this.#wake?.()
  }

  /** No change will come. */
  end(): void {
    this.#isOver = true
    this.#wake?.()
  }

  /** The changes until the end or the signal. Throws ApiError 503 for a reader that is too slow. */
  async *read(signal: AbortSignal): AsyncGenerator<JobChange> {
    const stop = onAbort(signal, () => this.end())
    try {
      for (;;) {
        if (this.#isLate) {
          throw new ApiError(`more than ${most} changes waited for this reader: ask again, from the beginning`, {
            status: 503,
            code: 'reader_too_slow'
          })
        }
        const change = this.#waiting.shift()
        if (change !== undefined) {
          yield change
          continue
        }
        if (this.#isOver) return
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    } finally {
      stop()
      // the reader has left
      this.#isLate = true
      this.#waiting = []
    }
  }
}
