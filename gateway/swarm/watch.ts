// Surveys the swarm once for all viewers: often while a page is open, otherwise seldom, for the history.
import type { SurveyedModel } from '../../client/index.ts'
import { onAbort, pause } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { HistoryOfSwarm } from './history.ts'
import { type SwarmView, toView } from './view.ts'

export interface WatchOptions {
  /** pause between two surveys while there are viewers, in milliseconds; default 2 s */
  readonly viewedMs?: number
  /** the same while there are none; default a minute */
  readonly idleMs?: number
  /** Unix time in milliseconds */
  readonly now?: () => number
}

/** a survey that takes longer has failed */
const surveyLimitMs = 20_000

type Survey = (options: { readonly signal: AbortSignal }) => Promise<readonly SurveyedModel[]>

export class SwarmWatch {
  readonly history = new HistoryOfSwarm()
  readonly #survey: Survey
  readonly #options: Required<WatchOptions>
  readonly #stopping = new AbortController()
  readonly #viewers = new Set<(view: SwarmView) => void>()
  #view: SwarmView | null = null
  #running: Promise<void> | undefined
  /** ends the pause between two surveys */
  #awaken: (() => void) | undefined

  constructor(survey: Survey, { viewedMs = 2000, idleMs = 60_000, now = Date.now }: WatchOptions = {}) {
    this.#survey = survey
    this.#options = { viewedMs, idleMs, now }
  }

  /** The last view; null before the first survey. */
  get view(): SwarmView | null {
    return this.#view
  }

  /** Begins to look. Does nothing where it has begun. */
  start(): void {
    if (this.#stopping.signal.aborted) return
    this.#running ??= this.#run()
  }

  /** Ends the survey that runs, and all streams of views. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** The same as `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** The current view and each later one until the signal aborts; a slow viewer gets only the newest. */
  async *views(signal: AbortSignal): AsyncGenerator<SwarmView> {
    const ended = AbortSignal.any([signal, this.#stopping.signal])
    let newest: SwarmView | null = this.#view
    let wake: () => void = () => {}
    const viewer = (view: SwarmView): void => {
      newest = view
      wake()
    }
    this.#viewers.add(viewer)
    this.start()
    this.#awaken?.()
    try {
      while (!ended.aborted) {
        if (newest !== null) {
          const view = newest
          newest = null
          yield view
          continue
        }
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const release = onAbort(ended, resolve)
        await promise
        release()
      }
    } finally {
      this.#viewers.delete(viewer)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#look(signal)
      const awake = new AbortController()
      this.#awaken = () => awake.abort()
      const ms = this.#viewers.size > 0 ? this.#options.viewedMs : this.#options.idleMs
      await pause(ms, AbortSignal.any([signal, awake.signal]))
      this.#awaken = undefined
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { now } = this.#options
    try {
      const models = await this.#survey({ signal: AbortSignal.any([signal, AbortSignal.timeout(surveyLimitMs)]) })
      this.#view = toView(models, this.#view, now())
      this.history.add(this.#view)
    } catch (error) {
      if (signal.aborted) return
      this.#view = { models: this.#view?.models ?? [], at: now(), failure: messageOf(error) }
    }
    for (const viewer of [...this.#viewers]) viewer(this.#view)
  }
}
