// Rows of uploaded files and of the result files of jobs. The bytes are elsewhere.
import type { Database, Migration, Row } from './database.ts'
import { type Page, type PageRequest, pageOf } from './pages.ts'

/** What a file is for, under OpenAI's names. */
export const filePurposes = ['fine-tune', 'fine-tune-results', 'user_data'] as const
export type FilePurpose = (typeof filePurposes)[number]

export interface FileRow {
  /** `file-…` */
  readonly id: string
  /** as its owner calls it; never part of a path */
  readonly filename: string
  readonly purpose: FilePurpose
  readonly bytes: number
  /** Unix time, in seconds */
  readonly created: number
  /** Unix time, in seconds; null: it stays */
  readonly expires: number | null
}

export const filesMigration: Migration = {
  name: 'files',
  sql: `CREATE TABLE files (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  filename TEXT NOT NULL,
  purpose TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER
) STRICT`
}

const toRow = (found: Row): FileRow => ({
  id: String(found.id),
  filename: String(found.filename),
  purpose: String(found.purpose) as FilePurpose,
  bytes: Number(found.bytes),
  created: Number(found.created),
  expires: found.expires === null ? null : Number(found.expires)
})

export class FileStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  add({ id, filename, purpose, bytes, created, expires }: FileRow): void {
    const insert = 'INSERT INTO files (id, filename, purpose, bytes, created, expires) VALUES (?, ?, ?, ?, ?, ?)'
    this.#database.run(insert, id, filename, purpose, bytes, created, expires)
  }

  get(id: string): FileRow | null {
    const found = this.#database.get('SELECT * FROM files WHERE id = ?', id)
    return found === undefined ? null : toRow(found)
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    return this.#database.run('DELETE FROM files WHERE id = ?', id) > 0
  }

  /** Null where there is no row `after`. */
  list({ after, limit, order = 'desc', purpose }: PageRequest & { readonly purpose?: string }): Page<FileRow> | null {
    const from = after === undefined ? null : this.#database.get('SELECT number FROM files WHERE id = ?', after)
    if (from === undefined) return null
    const rows = this.#database.all(
      `SELECT * FROM files WHERE (?1 IS NULL OR number ${order === 'asc' ? '>' : '<'} ?1)
       AND (?2 IS NULL OR purpose = ?2) ORDER BY number ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?3`,
      from?.number ?? null,
      purpose ?? null,
      limit + 1
    )
    return pageOf(rows.map(toRow), limit)
  }

  /** Ids of the files whose time is over. */
  expired(now: number): readonly string[] {
    return this.#database.all('SELECT id FROM files WHERE expires <= ?', now).map(({ id }) => String(id))
  }
}
