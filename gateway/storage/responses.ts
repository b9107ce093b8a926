// Responses that clients may continue or read again, and their items. What they hold is JSON as the dialect writes it.
import type { Database, Migration } from './database.ts'

export const responsesMigration: Migration = {
  name: 'responses',
  sql: `
    CREATE TABLE responses (
      id TEXT PRIMARY KEY,
      key_id TEXT NOT NULL,
      previous_id TEXT,
      created INTEGER NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX responses_by_time ON responses (created);
    CREATE TABLE response_items (
      response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
      place INTEGER NOT NULL,
      id TEXT NOT NULL,
      is_output INTEGER NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (response_id, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX response_items_by_id ON response_items (id)`
}

/** An item's id, and the item as JSON. */
export interface ItemRow {
  readonly id: string
  readonly body: string
}

export interface NewResponseRow {
  readonly id: string
  /** the key that made it, and alone may read it; null: no key was needed */
  readonly keyId: string | null
  /** the response that it continues; null: none */
  readonly previousId: string | null
  /** Unix time, in seconds */
  readonly created: number
  /** the response as JSON */
  readonly body: string
  readonly input: readonly ItemRow[]
  readonly output: readonly ItemRow[]
}

const day = 86_400

/** how long a response is kept */
const keptSeconds = 30 * day

type Owned = readonly [id: string, keyId: string | null]

export class ResponseStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Keeps a response, and forgets those that are older than 30 days. */
  add({ id, keyId, previousId, created, body, input, output }: NewResponseRow): void {
    const database = this.#database
    database.transaction(() => {
      database.run('DELETE FROM responses WHERE created < ?', created - keptSeconds)
      database.run(
        'INSERT INTO responses (id, key_id, previous_id, created, body) VALUES (?, ?, ?, ?, ?)',
        id,
        keyId ?? '',
        previousId,
        created,
        body
      )
      for (const [place, item] of [...input, ...output].entries()) {
        database.run(
          'INSERT INTO response_items (response_id, place, id, is_output, body) VALUES (?, ?, ?, ?, ?)',
          id,
          place,
          item.id,
          place < input.length ? 0 : 1,
          item.body
        )
      }
    })
  }

  /** The response as JSON; undefined where this key has none of this id. */
  get(...[id, keyId]: Owned): string | undefined {
    const sql = 'SELECT body FROM responses WHERE id = ? AND key_id = ?'
    return this.#database.get<{ body: string }>(sql, id, keyId ?? '')?.body
  }

  /** False where this key has none of this id. */
  delete(...[id, keyId]: Owned): boolean {
    return this.#database.run('DELETE FROM responses WHERE id = ? AND key_id = ?', id, keyId ?? '') > 0
  }

  /** The latest stored item of this id as JSON; undefined where this key has none. */
  item(...[id, keyId]: Owned): string | undefined {
    const sql = `SELECT i.body FROM response_items i JOIN responses r ON r.id = i.response_id
      WHERE i.id = ? AND r.key_id = ? ORDER BY r.created DESC LIMIT 1`
    return this.#database.get<{ body: string }>(sql, id, keyId ?? '')?.body
  }

  /** Items that the response was given, in order, without those of the responses before it. */
  input(id: string): ItemRow[] {
    const sql = 'SELECT id, body FROM response_items WHERE response_id = ? AND is_output = 0 ORDER BY place'
    return this.#database.all<{ id: string; body: string }>(sql, id)
  }

  /**
   * All items up to the end of the response, in order: what each was given, and what it answered.
   * The id of a response that is gone, where one of those before it is.
   */
  conversation(...[id, keyId]: Owned): { readonly items: readonly ItemRow[] } | { readonly missing: string } {
    const chain: string[] = []
    for (let next: string | null = id; next !== null; ) {
      const sql = 'SELECT previous_id FROM responses WHERE id = ? AND key_id = ?'
      const row: { previous_id: string | null } | undefined = this.#database.get(sql, next, keyId ?? '')
      if (row === undefined) return { missing: next }
      chain.push(next)
      next = row.previous_id
    }
    const sql = 'SELECT id, body FROM response_items WHERE response_id = ? ORDER BY place'
    return { items: chain.reverse().flatMap(one => this.#database.all<{ id: string; body: string }>(sql, one)) }
  }
}
