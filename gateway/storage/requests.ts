// Requests of the API: the latest ones, and totals by key, model and day. Never any content.
import type { Database, Migration } from './database.ts'

export const requestsMigration: Migration = {
  name: 'requests',
  sql: `
    CREATE TABLE requests (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL,
      time INTEGER NOT NULL,
      key_id TEXT,
      model TEXT,
      method TEXT NOT NULL,
      path TEXT NOT NULL,
      status INTEGER NOT NULL,
      code TEXT,
      prompt_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      first_token_ms INTEGER,
      duration_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE usage (
      day TEXT NOT NULL,
      key_id TEXT NOT NULL,
      model TEXT NOT NULL,
      requests INTEGER NOT NULL,
      errors INTEGER NOT NULL,
      prompt_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      PRIMARY KEY (day, key_id, model)
    ) STRICT, WITHOUT ROWID`
}

/** A request that has been answered. */
export interface RequestRecord {
  /** as the answer's `x-request-id` */
  readonly id: string
  /** Unix time of its arrival, in milliseconds */
  readonly time: number
  /** null: no key was needed */
  readonly keyId: string | null
  /** null: none was named, or it does not exist */
  readonly model: string | null
  readonly method: string
  /** without the query */
  readonly path: string
  /** status of HTTP; 499: the client left before the end */
  readonly status: number
  /** code of the error; null: none */
  readonly code: string | null
  readonly promptTokens: number
  readonly completionTokens: number
  /** milliseconds to the first token; null: none came */
  readonly firstTokenMs: number | null
  readonly durationMs: number
}

/** Totals of one key and one model on one day. */
export interface UsageRow {
  /** `2026-11-30`, UTC */
  readonly day: string
  readonly keyId: string | null
  readonly model: string | null
  readonly requests: number
  /** of these, with a status of 400 or above */
  readonly errors: number
  readonly promptTokens: number
  readonly completionTokens: number
}

interface StoredRequest extends Record<string, string | number | null> {
  id: string
  time: number
  key_id: string | null
  model: string | null
  method: string
  path: string
  status: number
  code: string | null
  prompt_tokens: number
  completion_tokens: number
  first_token_ms: number | null
  duration_ms: number
}

interface StoredUsage extends Record<string, string | number> {
  day: string
  key_id: string
  model: string
  requests: number
  errors: number
  prompt_tokens: number
  completion_tokens: number
}

/** requests that are kept; of more the oldest go */
const maxRequests = 10_000
/** how many may be too many before they go */
const slack = 500

export class RequestStore {
  readonly #database: Database
  #sinceTrim = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** Keeps a request and adds it to the totals. */
  add(record: RequestRecord): void {
    const { keyId, model, promptTokens, completionTokens } = record
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO requests (id, time, key_id, model, method, path, status, code, prompt_tokens, completion_tokens,
          first_token_ms, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        record.id,
        record.time,
        keyId,
        model,
        record.method,
        record.path,
        record.status,
        record.code,
        promptTokens,
        completionTokens,
        record.firstTokenMs === null ? null : Math.round(record.firstTokenMs),
        Math.round(record.durationMs)
      )
      this.#database.run(
        `INSERT INTO usage (day, key_id, model, requests, errors, prompt_tokens, completion_tokens)
          VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + 1, errors = errors + excluded.errors,
          prompt_tokens = prompt_tokens + excluded.prompt_tokens,
          completion_tokens = completion_tokens + excluded.completion_tokens`,
        new Date(record.time).toISOString().slice(0, 10),
        keyId ?? '',
        model ?? '',
        record.status >= 400 ? 1 : 0,
        promptTokens,
        completionTokens
      )
      if (++this.#sinceTrim >= slack) this.#trim()
    })
  }

  #trim(): void {
    this.#sinceTrim = 0
    this.#database.run('DELETE FROM requests WHERE number <= (SELECT max(number) FROM requests) - ?', maxRequests)
  }

  /** The latest requests, newest first. @param limit default 100 */
  recent(limit = 100): RequestRecord[] {
    const rows = this.#database.all<StoredRequest>('SELECT * FROM requests ORDER BY number DESC LIMIT ?', limit)
    return rows.map(row => ({
      id: row.id,
      time: row.time,
      keyId: row.key_id,
      model: row.model,
      method: row.method,
      path: row.path,
      status: row.status,
      code: row.code,
      promptTokens: row.prompt_tokens,
      completionTokens: row.completion_tokens,
      firstTokenMs: row.first_token_ms,
      durationMs: row.duration_ms
    }))
  }

  /** Totals by day, key and model, newest day first. @param days how many days back; default 31 */
  usage(days = 31): UsageRow[] {
    const from = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10)
    const rows = this.#database.all<StoredUsage>(
      'SELECT * FROM usage WHERE day >= ? ORDER BY day DESC, key_id, model',
      from
    )
    return rows.map(row => ({
      day: row.day,
      keyId: row.key_id === '' ? null : row.key_id,
      model: row.model === '' ? null : row.model,
      requests: row.requests,
      errors: row.errors,
      promptTokens: row.prompt_tokens,
      completionTokens: row.completion_tokens
    }))
  }
}
