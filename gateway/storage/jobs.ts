// Rows of fine-tuning jobs and of their events. Only gateway/jobs reads the JSON record of a job.
import type { Database, Migration, Row } from './database.ts'
import { type Page, type PageRequest, pageOf } from './pages.ts'

/** States of a job, under OpenAI's names. */
export const jobStates = [
  'validating_files',
  'queued',
  'running',
  'paused',
  'succeeded',
  'failed',
  'cancelled'
] as const
export type JobState = (typeof jobStates)[number]

export interface JobRow {
  /** `ftjob-…` */
  readonly id: string
  readonly state: JobState
  /** name of the model that it made; null until then, and after that model was deleted */
  readonly model: string | null
  /** everything else, as JSON */
  readonly record: string
}

export interface EventRow {
  /** `ftevent-…` */
  readonly id: string
  readonly job: string
  /** Unix time, in seconds */
  readonly created: number
  readonly level: 'info' | 'warn' | 'error'
  readonly type: 'message' | 'metrics'
  readonly message: string
  /** JSON; null without data */
  readonly data: string | null
}

export const jobsMigration: Migration = {
  name: 'jobs',
  sql: `CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  model TEXT,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE job_events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  job TEXT NOT NULL,
  created INTEGER NOT NULL,
  level TEXT NOT NULL,
  type TEXT NOT NULL,
  message TEXT NOT NULL,
  data TEXT
) STRICT;
CREATE INDEX events_of_job ON job_events (job, number)`
}

const toJob = ({ id, state, model, record }: Row): JobRow => ({
  id: String(id),
  state: String(state) as JobState,
  model: model === null ? null : String(model),
  record: String(record)
})

const toEvent = ({ id, job, created, level, type, message, data }: Row): EventRow => ({
  id: String(id),
  job: String(job),
  created: Number(created),
  level: String(level) as EventRow['level'],
  type: String(type) as EventRow['type'],
  message: String(message),
  data: data === null ? null : String(data)
})

export class JobStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Adds it, or replaces the one with this id. */
  put({ id, state, model, record }: JobRow): void {
    this.#database.run(
      `INSERT INTO jobs (id, state, model, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, model = excluded.model, record = excluded.record`,
      id,
      state,
      model,
      record
    )
  }

  get(id: string): JobRow | null {
    const found = this.#database.get('SELECT * FROM jobs WHERE id = ?', id)
    return found === undefined ? null : toJob(found)
  }

  /** Number of jobs by state; states without any are left out. */
  counts(): ReadonlyMap<string, number> {
    const rows = this.#database.all<{ state: string; jobs: number }>(
      'SELECT state, count(*) AS jobs FROM jobs GROUP BY state'
    )
    return new Map(rows.map(({ state, jobs }) => [state, jobs]))
  }

  /** In the order in which they were made. */
  inStates(states: readonly JobState[]): readonly JobRow[] {
    const marks = states.map(() => '?').join(', ')
    return this.#database.all(`SELECT * FROM jobs WHERE state IN (${marks}) ORDER BY number`, ...states).map(toJob)
  }

  /** Jobs whose models are served, in the order in which they were made. */
  withModels(): readonly JobRow[] {
    return this.#database.all('SELECT * FROM jobs WHERE model IS NOT NULL ORDER BY number').map(toJob)
  }

  /** The job that made a model. */
  ofModel(model: string): JobRow | null {
    const found = this.#database.get('SELECT * FROM jobs WHERE model = ?', model)
    return found === undefined ? null : toJob(found)
  }

  /**
   * The newest first. Null where there is no row `after`.
   * @param page.metadata what the jobs must have: values by names
   */
  list({
    after,
    limit,
    metadata = {}
  }: PageRequest & { readonly metadata?: Readonly<Record<string, string>> }): Page<JobRow> | null {
    const from = after === undefined ? null : this.#database.get('SELECT number FROM jobs WHERE id = ?', after)
    if (from === undefined) return null
    const rows = this.#database.all(
      `SELECT * FROM jobs WHERE (?1 IS NULL OR number < ?1)
       AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS wanted WHERE NOT EXISTS (
         SELECT 1 FROM json_each(record, '$.metadata') AS has WHERE has.key = wanted.key AND has.value = wanted.value))
       ORDER BY number DESC LIMIT ?3`,
      from?.number ?? null,
      JSON.stringify(metadata),
      limit + 1
    )
    return pageOf(rows.map(toJob), limit)
  }

  /** Removes a job and its events. */
  remove(id: string): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM job_events WHERE job = ?', id)
      this.#database.run('DELETE FROM jobs WHERE id = ?', id)
    })
  }

  addEvent({ id, job, created, level, type, message, data }: EventRow): void {
    this.#database.run(
      'INSERT INTO job_events (id, job, created, level, type, message, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      job,
      created,
      level,
      type,
      message,
      data
    )
  }

  /** Events of a job, by default the newest first. Null where there is no row `after`. */
  events(job: string, { after, limit, order = 'desc' }: PageRequest): Page<EventRow> | null {
    const from =
      after === undefined
        ? null
        : this.#database.get('SELECT number FROM job_events WHERE id = ? AND job = ?', after, job)
    if (from === undefined) return null
    const rows = this.#database.all(
      `SELECT * FROM job_events WHERE job = ?1 AND (?2 IS NULL OR number ${order === 'asc' ? '>' : '<'} ?2)
       ORDER BY number ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?3`,
      job,
      from?.number ?? null,
      limit + 1
    )
    return pageOf(rows.map(toEvent), limit)
  }
}
