// Creates fine-tuning jobs, queues them, runs a few at a time, pauses and resumes them, also over a restart. Knows no HTTP.
import { checkpointsOf, type Logger, SwarmError } from '../../client/index.ts'
import { SerialQueue } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { invalid } from '../errors.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { JobStore } from '../storage/jobs.ts'
import { checkSizes, loadJobData, placesOver, trainableBase } from './data.ts'
import { type FileKeeper, writeFault } from './file-keeper.ts'
import { JobFolders } from './folders.ts'
import { newId, unixTime } from './ids.ts'
import { endStates, faultOf, type Job, type JobRequest, whatToStart, wrongState } from './job.ts'
import { JobLedger } from './ledger.ts'
import { metricsCsv } from './results.ts'
import { JobAdapters, type ServedAdapter } from './serving.ts'
import { planOf, runConfigOf } from './settings.ts'
import { trainJob } from './training.ts'

/** Why a running job is interrupted. */
type Interruption = 'cancel' | 'pause' | 'stop'

/** A job that is being validated or run. */
interface Active {
  readonly job: Job
  readonly controller: AbortController
  interruption: Interruption | null
  /** settles once the job has left this state */
  readonly ended: Promise<void>
}

export interface JobRunnerComponents {
  readonly jobs: JobStore
  readonly files: FileKeeper
  readonly models: ModelRegistry
  readonly logger: Logger
}

export interface JobRunnerInit {
  /** for the folders of runs; null: this gateway runs no jobs */
  readonly folder: string | null
  /** jobs that train at once; default 1 */
  readonly concurrency?: number
}

export class JobRunner {
  /** the records of jobs and their events */
  readonly ledger: JobLedger
  /** what is on the disk of each job */
  readonly folders: JobFolders
  readonly #files: FileKeeper
  readonly #models: ModelRegistry
  readonly #logger: Logger
  readonly #adapters: JobAdapters
  readonly #concurrency: number
  readonly #validations = new SerialQueue()
  /** by id */
  readonly #active = new Map<string, Active>()
  #stopped = false

  constructor(components: JobRunnerComponents, { folder, concurrency = 1 }: JobRunnerInit) {
    this.ledger = new JobLedger(components)
    this.folders = new JobFolders(components.files, folder)
    this.#adapters = new JobAdapters(components.models)
    this.#files = components.files
    this.#models = components.models
    this.#logger = components.logger
    this.#concurrency = concurrency
  }

  /** Serves the adapters of earlier jobs and continues unfinished ones. Call it once the models are served. */
  async start(): Promise<void> {
    if (!(await this.folders.open(id => this.ledger.has(id)))) return
    for (const job of this.ledger.withModels()) {
      const failure = await this.#adapters.serve(job, this.folders.of(job.id))
      if (failure !== null) this.#logger.warn({ job: job.id, err: failure }, 'an adapter of a job is not served')
    }
    for (const job of this.ledger.inStates('running')) {
      this.ledger.event(
        job,
        'info',
        'The gateway was restarted while the job ran; it goes on from its newest checkpoint'
      )
      this.ledger.enter(job, 'queued')
    }
    for (const job of this.ledger.inStates('validating_files')) this.#validate(job)
    this.#pump()
  }

  /** Interrupts what runs, after a checkpoint; the next start goes on with it. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#active.values()].map(active => this.#interrupt(active, 'stop')))
    await this.#validations.idle
  }

  /** Throws ApiError 400 for invalid settings, 404 for an unknown model or file. */
  async create(request: JobRequest): Promise<Job> {
    const base = trainableBase(this.#models, request.model)
    const id = newId('ftjob')
    // settings that are wrong whatever the data is
    const places = { ...placesOver(base), ...this.folders.namesOf(request), folder: this.folders.of(id) }
    checkSizes(base, runConfigOf(request, places, 1))
    const job: Job = {
      ...request,
      id,
      state: 'validating_files',
      fineTunedModel: `ft:${request.model}:${request.suffix ?? ''}:${id.slice(-8)}`,
      isServed: false,
      created: unixTime(),
      finished: null,
      error: null,
      config: null,
      step: 0,
      total: 0,
      stepsPerEpoch: 0,
      estimatedFinish: null,
      trainedTokens: null,
      resultFiles: [],
      resumeStep: null
    }
    try {
      await this.folders.make(job)
      this.ledger.add(job)
    } catch (error) {
      await this.folders.remove(id)
      throw writeFault(error)
    }
    this.ledger.event(job, 'info', `Created fine-tuning job: ${id}`)
    this.#validate(job)
    return job
  }

  /** Ends a job within a step; its checkpoints stay. Throws ApiError 404, 409 for one that has ended. */
  async cancel(id: string): Promise<Job> {
    const job = this.ledger.get(id)
    if (endStates.has(job.state)) throw wrongState(job, 'cancelled', 'it has ended')
    await this.#leave(job, 'cancel')
    return this.ledger.get(id)
  }

  /** Interrupts a job after a checkpoint. Throws ApiError 404, 409 for a job that is neither running nor queued. */
  async pause(id: string): Promise<Job> {
    const job = this.ledger.get(id)
    if (job.state !== 'running' && job.state !== 'queued') {
      throw wrongState(job, 'paused', 'only one that is queued or running can be')
    }
    await this.#leave(job, 'pause')
    return this.ledger.get(id)
  }

  /**
   * Continues a paused, failed or cancelled job from its newest checkpoint, or from that of `step`.
   * Throws ApiError 404, 409 for one in another state or that was never validated.
   */
  async resume(id: string, step: number | null = null): Promise<Job> {
    const job = this.ledger.get(id)
    if (!['paused', 'failed', 'cancelled'].includes(job.state)) {
      throw wrongState(job, 'resumed', 'only one that is paused, failed or cancelled can be')
    }
    if (job.config === null) {
      // its files were never found good: they are looked at again
      Object.assign(job, { error: null, finished: null })
      this.ledger.enter(job, 'validating_files')
      this.#validate(job)
      return job
    }
    const steps = (await checkpointsOf(this.folders.of(id))).map(found => found.step)
    if (step !== null && !steps.includes(step)) {
      const there = steps.length === 0 ? 'it has none' : `it has those of the steps ${steps.join(', ')}`
      throw invalid(`step: job '${id}' has no checkpoint of step ${step}: ${there}`, 'step')
    }
    Object.assign(job, { error: null, finished: null, resumeStep: step })
    this.ledger.enter(job, 'queued')
    this.ledger.event(job, 'info', 'Job resumed; it is queued')
    this.#pump()
    return job
  }

  /**
   * Removes a job that has ended, with its run's folder and its model. Throws ApiError 404, 409.
   * @returns the adapters to unload once no request uses them
   */
  async remove(id: string): Promise<readonly ServedAdapter[]> {
    const job = this.ledger.get(id)
    if (!endStates.has(job.state)) throw wrongState(job, 'removed', 'cancel it first')
    const withdrawn = this.#adapters.withdraw(id)
    this.ledger.remove(id)
    await this.folders.remove(id)
    return withdrawn
  }

  /**
   * Stops serving a job's model and its checkpoints; the adapter can still be downloaded from the job.
   * @returns the adapters to unload once no request uses them; null if no job made this model
   */
  removeModel(name: string): readonly ServedAdapter[] | null {
    const job = this.ledger.ofModel(name)
    if (job === null) return null
    this.ledger.update(job, { isServed: false })
    return this.#adapters.withdraw(job.id)
  }

  /** Resolves once nothing is validated or trained. For tests and a stop that waits. */
  async idle(): Promise<void> {
    while (this.#active.size > 0) await Promise.all([...this.#active.values()].map(({ ended }) => ended))
  }

  /** Reads a job's files and settles its configuration, then queues it. */
  #validate(job: Job): void {
    this.#begin(job, async signal => {
      await this.#validations.run(async () => {
        signal.throwIfAborted()
        this.ledger.event(job, 'info', `Validating training file: ${job.trainingFile}`)
        const base = trainableBase(this.#models, job.model)
        const { names, ...files } = await this.folders.filesOf(job)
        const places = { ...placesOver(base), ...files, folder: this.folders.of(job.id) }
        const data = await loadJobData(base, runConfigOf(job, places, 1), { names, signal })
        const { config, plan } = planOf(job, places, data)
        this.ledger.update(job, { config, total: plan.total, stepsPerEpoch: plan.stepsPerEpoch })
        this.ledger.event(job, 'info', 'Files validated, moving job to queued state')
        this.ledger.enter(job, 'queued')
      })
    })
  }

  /** Starts the jobs that are next while there is room. */
  #pump(): void {
    if (this.#stopped) return
    const isRunning = ({ job }: Active): boolean => job.state === 'running'
    let room = this.#concurrency - [...this.#active.values()].filter(isRunning).length
    for (const job of this.ledger.inStates('queued')) {
      if (room <= 0) return
      // a job that was just validated is still active for a moment; its end pumps again
      if (this.#active.has(job.id)) continue
      this.#run(job)
      room -= 1
    }
  }

  #run(job: Job): void {
    this.ledger.enter(job, 'running')
    this.ledger.event(job, 'info', 'Fine-tuning job started')
    this.#begin(job, async signal => {
      const folder = this.folders.of(job.id)
      const base = trainableBase(this.#models, job.model)
      const { names } = await this.folders.filesOf(job)
      const { tokens, steps } = await trainJob({
        base,
        config: job.config!,
        names,
        resumeStep: job.resumeStep,
        signal,
        onResume: ({ step, total }) => {
          this.ledger.update(job, { step, total })
          this.ledger.event(job, 'info', `Resumed from the checkpoint of step ${step} of ${total}`)
          this.ledger.tell(job.id, { type: 'resumed', step })
        },
        onStep: (progress, lines) => {
          const { step, total, etaSeconds } = progress
          Object.assign(job, { step, total, estimatedFinish: unixTime() + Math.ceil(etaSeconds), resumeStep: null })
          for (const line of lines) this.ledger.metrics(job, line)
          this.ledger.progress(job)
        }
      })
      const csv = await this.#files.write(await metricsCsv(folder), 'step_metrics.csv', 'fine-tune-results')
      const finished = unixTime()
      this.ledger.update(job, {
        step: steps,
        trainedTokens: tokens,
        resultFiles: [csv.id],
        finished,
        estimatedFinish: null
      })
      const failure = await this.#adapters.serve(job, this.folders.of(job.id))
      if (failure !== null) this.ledger.event(job, 'warn', `The adapter is not served: ${messageOf(failure)}`)
      this.ledger.event(job, 'info', `New fine-tuned model created: ${job.fineTunedModel}`)
      this.ledger.event(job, 'info', 'The job has successfully completed')
      job.isServed = true
      this.ledger.enter(job, 'succeeded')
    })
  }

  /** Does a part of a job's life, and settles what its failure means. */
  #begin(job: Job, work: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController()
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const active: Active = { job, controller, interruption: null, ended }
    this.#active.set(job.id, active)
    this.ledger.open(job)
    const settle = async (): Promise<void> => {
      try {
        await work(controller.signal)
      } catch (error) {
        this.#failed(active, error)
      } finally {
        this.#active.delete(job.id)
        this.ledger.close(job)
        resolve()
        this.#pump()
      }
    }
    void settle()
  }

  #failed({ job, interruption }: Active, error: unknown): void {
    job.estimatedFinish = null
    const isInterrupted = interruption !== null && error instanceof SwarmError && error.code === 'ABORTED'
    if (isInterrupted) {
      if (interruption !== 'stop') this.#interrupted(job, interruption)
      else this.ledger.update(job, {})
      return
    }
    const told = faultOf(error, job, this.folders.of(job.id))
    job.error = told
    const advice = job.state === 'running' ? whatToStart(error) : null
    if (advice !== null) {
      this.ledger.event(job, 'warn', `Paused: ${told.message}. ${advice}, then resume the job`)
      this.ledger.enter(job, 'paused')
      return
    }
    this.#logger.warn({ job: job.id, err: error }, 'a fine-tuning job failed')
    this.ledger.event(job, 'error', told.message)
    job.finished = unixTime()
    this.ledger.enter(job, 'failed')
  }

  /** Cancels or pauses, whatever the job does at present. */
  async #leave(job: Job, interruption: 'cancel' | 'pause'): Promise<void> {
    const active = this.#active.get(job.id)
    if (active !== undefined) await this.#interrupt(active, interruption)
    const now = this.ledger.get(job.id)
    // it was queued, or became so while it was asked to stop
    if (now.state === 'queued' || now.state === 'paused') this.#interrupted(now, interruption)
  }

  #interrupted(job: Job, interruption: 'cancel' | 'pause'): void {
    if (interruption === 'pause') {
      if (job.state === 'paused') return
      this.ledger.event(job, 'info', `Job paused after step ${job.step}`)
      this.ledger.enter(job, 'paused')
      return
    }
    this.ledger.event(job, 'info', 'Job cancelled')
    job.finished = unixTime()
    this.ledger.enter(job, 'cancelled')
  }

  async #interrupt(active: Active, interruption: Interruption): Promise<void> {
    active.interruption ??= interruption
    active.controller.abort(new SwarmError('ABORTED', `the job is to ${active.interruption}`))
    await active.ended
  }
}
