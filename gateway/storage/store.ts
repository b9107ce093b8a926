// What the gateway keeps between runs, by noun. A noun adds its file, its migration at the end of the list, and its field.
import { join } from 'node:path'
import { makeFolder } from '../../common/files/folders.ts'
import { Database, type Migration } from './database.ts'
import { FileStore, filesMigration } from './files.ts'
import { takeLock } from './home-lock.ts'
import { JobStore, jobsMigration } from './jobs.ts'
import { KeyStore, keysMigration } from './keys.ts'
import { RequestStore, requestsMigration } from './requests.ts'
import { ResponseStore, responsesMigration } from './responses.ts'

/** Never change or reorder released migrations: a file's version is the number of those that it has run. */
const migrations: readonly Migration[] = [
  keysMigration,
  requestsMigration,
  { name: 'holder', sql: 'CREATE TABLE holder (text TEXT NOT NULL) STRICT' },
  filesMigration,
  jobsMigration,
  responsesMigration
]

export class Store {
  readonly database: Database
  readonly keys: KeyStore
  readonly requests: RequestStore
  readonly files: FileStore
  readonly jobs: JobStore
  readonly responses: ResponseStore
  /** folder for files that are too large for a table; null: everything is in memory */
  readonly folder: string | null
  #unlock: (() => void) | null = null

  constructor(database: Database, folder: string | null) {
    this.database = database
    this.folder = folder
    this.keys = new KeyStore(database)
    this.requests = new RequestStore(database)
    this.files = new FileStore(database)
    this.jobs = new JobStore(database)
    this.responses = new ResponseStore(database)
  }

  /**
   * Makes this process the one gateway of the home folder, until it closes the store or ends.
   * @param description who it is, for the message that a second one gets: `process 4711`
   * @throws SwarmError BUSY where another gateway runs
   */
  claim(description: string): void {
    if (this.folder === null) return
    const holder = (): string | undefined => this.database.get<{ text: string }>('SELECT text FROM holder')?.text
    this.#unlock = takeLock(join(this.folder, 'gateway.lock'), holder)
    this.describe(description)
  }

  /** Says anew who this gateway is. */
  describe(description: string): void {
    this.database.transaction(() => {
      this.database.run('DELETE FROM holder')
      this.database.run('INSERT INTO holder (text) VALUES (?)', description)
    })
  }

  /** Closes the file and gives the home folder back. Does nothing the second time. */
  close(): void {
    this.database.close()
    this.#unlock?.()
    this.#unlock = null
  }
}

/** A store that keeps everything in memory, for tests and for programs that keep nothing. */
export function memoryStore(): Store {
  return new Store(new Database(':memory:', migrations), null)
}

/**
 * Opens what the gateway of a home folder keeps, in `gateway/` within it. Several processes may: `claim` makes one the gateway.
 * Throws what `Database` throws, and what the file system says of the folder.
 */
export async function openStore(home: string): Promise<Store> {
  const folder = join(home, 'gateway')
  await makeFolder(folder, { mode: 0o700 })
  return new Store(new Database(join(folder, 'gateway.sqlite'), migrations), folder)
}
