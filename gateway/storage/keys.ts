// Keys of the API: made, listed, revoked, and recognized. A key is shown once; only its hash is kept.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { SwarmError } from '../../common/errors.ts'
import type { Database, Migration } from './database.ts'

export const keysMigration: Migration = {
  name: 'keys',
  sql: `
    CREATE TABLE keys (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      hash BLOB NOT NULL,
      created INTEGER NOT NULL,
      revoked INTEGER,
      last_used INTEGER,
      requests_per_minute INTEGER,
      tokens_per_minute INTEGER,
      operator INTEGER NOT NULL
    ) STRICT`
}

/** A key without its secret. Times are Unix times in seconds. */
export interface ApiKey {
  readonly id: string
  /** as its operator calls it */
  readonly name: string
  readonly created: number
  /** null: it is valid */
  readonly revoked: number | null
  readonly lastUsed: number | null
  /** limits of its own; null: those of the gateway */
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  /** it shows keys, requests of all keys, and metrics */
  readonly operator: boolean
}

/** What a new key is to be. */
export interface KeyInit {
  readonly name: string
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  /** default false */
  readonly operator?: boolean
}

interface KeyRow extends Record<string, string | number | Uint8Array | null> {
  id: string
  name: string
  hash: Uint8Array
  created: number
  revoked: number | null
  last_used: number | null
  requests_per_minute: number | null
  tokens_per_minute: number | null
  operator: number
}

const keyPattern = /^sk-swarm-([0-9a-f]{12})-[\w-]{43}$/

/** most characters of a key's name */
const maxNameLength = 100

/** a key is used many times a second; its time is written once a minute */
const usedPrecisionSeconds = 60

// 256 random bits cannot be guessed: a slow hash would protect nothing more
const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

const now = (): number => Math.floor(Date.now() / 1000)

const toKey = (row: KeyRow): ApiKey => ({
  id: row.id,
  name: row.name,
  created: row.created,
  revoked: row.revoked,
  lastUsed: row.last_used,
  requestsPerMinute: row.requests_per_minute,
  tokensPerMinute: row.tokens_per_minute,
  operator: row.operator === 1
})

export class KeyStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Makes a key.
   * @returns the key's record, and the key itself (`sk-swarm-…`), which nothing can show again
   * @throws SwarmError INVALID_ARGUMENT for a name that is empty, too long, or that a valid key has
   */
  create(init: KeyInit): { readonly record: ApiKey; readonly key: string } {
    const name = init.name.trim()
    if (name === '' || name.length > maxNameLength) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `key name: expected 1 to ${maxNameLength} characters, found ${name.length}`
      )
    }
    const id = randomBytes(6).toString('hex')
    const key = `sk-swarm-${id}-${randomBytes(32).toString('base64url')}`
    this.#database.transaction(() => {
      const other = this.#database.get('SELECT id FROM keys WHERE name = ? AND revoked IS NULL', name)
      if (other !== undefined) {
        throw new SwarmError(
          'INVALID_ARGUMENT',
          `name: a valid key named '${name}' exists (${other.id}): revoke it, or choose another name`
        )
      }
      this.#database.run(
        `INSERT INTO keys (id, name, hash, created, requests_per_minute, tokens_per_minute, operator)
          VALUES (?, ?, ?, ?, ?, ?, ?)`,
        id,
        name,
        hashOf(key),
        now(),
        init.requestsPerMinute ?? null,
        init.tokensPerMinute ?? null,
        init.operator ? 1 : 0
      )
    })
    return { record: this.list().find(each => each.id === id)!, key }
  }

  /** All keys, also revoked ones, oldest first. */
  list(): ApiKey[] {
    return this.#database.all<KeyRow>('SELECT * FROM keys ORDER BY created, rowid').map(toKey)
  }

  /** Whether there is a valid key. */
  get any(): boolean {
    return this.#database.get('SELECT 1 AS found FROM keys WHERE revoked IS NULL LIMIT 1') !== undefined
  }

  /**
   * Makes a key invalid at once, also for a gateway that is running.
   * @param idOrName its id, or the name of a valid key
   * @throws SwarmError NOT_FOUND where no valid key has that id or name
   */
  revoke(idOrName: string): ApiKey {
    const row = this.#database.get<KeyRow>(
      'SELECT * FROM keys WHERE (id = ? OR name = ?) AND revoked IS NULL ORDER BY id = ? DESC LIMIT 1',
      idOrName,
      idOrName,
      idOrName
    )
    if (row === undefined) {
      throw new SwarmError(
        'NOT_FOUND',
        `no valid key has the id or name '${idOrName}': 'swarm api keys list' shows them`
      )
    }
    const revoked = now()
    this.#database.run('UPDATE keys SET revoked = ? WHERE id = ?', revoked, row.id)
    return { ...toKey(row), revoked }
  }

  /** The record of a valid key; null for any other text. Compares secrets in constant time. */
  recognize(key: string): ApiKey | null {
    const id = keyPattern.exec(key)?.[1]
    if (id === undefined) return null
    const row = this.#database.get<KeyRow>('SELECT * FROM keys WHERE id = ? AND revoked IS NULL', id)
    const isRight = timingSafeEqual(hashOf(key), row?.hash ?? Buffer.alloc(32))
    if (row === undefined || !isRight) return null
    return toKey(row)
  }

  /** Notes that a key was used now, to the minute. */
  touch({ id, lastUsed }: ApiKey): void {
    const at = now()
    if (lastUsed !== null && at - lastUsed < usedPrecisionSeconds) return
    this.#database.run('UPDATE keys SET last_used = ? WHERE id = ?', at, id)
  }
}
