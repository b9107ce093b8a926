// One SQLite file: opened, checked, migrated, and its errors in our words. Knows no table.
import { chmodSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** How long a statement waits for another process that writes. */
const busyTimeoutMs = 5 * second

/** `SWRM`: tells our files from SQLite files of other programs */
const applicationId = 0x53_57_52_4d

/** SQLite's primary result codes */
const codes = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notADatabase: 26
} as const

/** The primary result code of an error of SQLite; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** The error of SQLite as ours, with the file and what to do. Any other error comes back as it is. */
function translate(error: unknown, path: string): unknown {
  const code = sqliteCode(error)
  const say = (kind: ConstructorParameters<typeof SwarmError>[0], text: string) =>
    new SwarmError(kind, `${path}: ${text}`, { cause: error })
  switch (code) {
    case undefined:
      return error
    case codes.full:
      return say('DISK_FULL', 'the disk is full; nothing was changed: free some space, then try again')
    case codes.busy:
    case codes.locked:
      return say('BUSY', `another process has been writing for ${busyTimeoutMs / second} seconds: try again`)
    case codes.corrupt:
    case codes.notADatabase:
      return damaged(path, messageOf(error), error)
    case codes.readOnly:
    case codes.cantOpen:
      return say(
        'INVALID_ARGUMENT',
        'cannot be opened for writing: give this user access, or set SWARM_HOME to another folder'
      )
    case codes.io:
      return say(
        'INTERNAL',
        `the disk failed (${messageOf(error)}): check the disk, or set SWARM_HOME to a folder on another`
      )
    default:
      return say('INTERNAL', messageOf(error))
  }
}

function damaged(path: string, found: string, cause?: unknown): SwarmError {
  const next = 'move the file away to begin with an empty one, or put a backup in its place'
  return new SwarmError('BAD_CHECKPOINT', `${path} is damaged (${found}): ${next}`, { cause })
}

/** One step of the schema. Steps run in the order of their list, each once, and never change after a release. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/** Rows as statements give them: names of columns, and texts, numbers, bytes or null. */
export type Row = Record<string, SQLInputValue>

/** A file of SQLite. All calls are synchronous; keep transactions short. */
export class Database {
  readonly path: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #depth = 0

  /**
   * Opens the file, makes it where there is none (readable by its owner only), checks it and brings its schema up to date.
   * Throws BAD_CHECKPOINT for a damaged file, UNSUPPORTED for a file of a later release, DISK_FULL, BUSY.
   * @param path `:memory:` keeps everything in memory
   */
  constructor(path: string, migrations: readonly Migration[]) {
    this.path = path
    try {
      this.#database = new DatabaseSync(path)
    } catch (error) {
      throw translate(error, path)
    }
    try {
      this.#guard(() => {
        if (path !== ':memory:') chmodSync(path, 0o600)
        this.#database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA foreign_keys = ON`)
        this.#check()
        // after the checks: a file of another program stays as it is
        this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
        this.#migrate(migrations)
      })
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  #pragma(name: string): unknown {
    return Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
  }

  #check(): void {
    const found = this.#pragma('quick_check')
    if (found !== 'ok') throw damaged(this.path, String(found))
    const id = this.#pragma('application_id')
    // another process may be about to fill it
    const isEmpty = this.#database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
    if (id !== applicationId && !isEmpty) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${this.path}: expected a database of swarmtune, found one of another program: move it away, or set SWARM_HOME to another folder`
      )
    }
  }

  #migrate(migrations: readonly Migration[]): void {
    const read = (): number => this.#pragma('user_version') as number
    const found = read()
    if (found > migrations.length) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${this.path}: found schema version ${found}, this build reads up to ${migrations.length}: ` +
          'a later release of swarmtune wrote it; update this one, or set SWARM_HOME to another folder'
      )
    }
    if (found === migrations.length) return
    // IMMEDIATE: if two processes open a new file at once, the second waits and finds the work done
    this.transaction(() => {
      const from = read()
      for (const { sql } of migrations.slice(from)) this.#database.exec(sql)
      this.#database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`)
    })
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Runs a statement that gives no rows. Parameters stand for `?`. @returns number of rows that it changed */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#prepare(sql).run(...parameters).changes))
  }

  /** The first row, or undefined. */
  get<Found extends Row>(sql: string, ...parameters: SQLInputValue[]): Found | undefined {
    return this.#guard(() => this.#prepare(sql).get(...parameters) as Found | undefined)
  }

  /** All rows. */
  all<Found extends Row>(sql: string, ...parameters: SQLInputValue[]): Found[] {
    return this.#guard(() => this.#prepare(sql).all(...parameters) as Found[])
  }

  /** Commits all changes of the work, or none if it throws. A nested transaction belongs to the outer one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work()
    return this.#guard(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      this.#depth++
      try {
        const result = work()
        this.#database.exec('COMMIT')
        return result
      } catch (error) {
        // a full disk may have rolled it back already
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw error
      } finally {
        this.#depth--
      }
    })
  }

  /** Closes the file. Does nothing the second time. */
  close(): void {
    if (!this.#database.isOpen) return
    this.#statements.clear()
    this.#database.close()
  }
}
