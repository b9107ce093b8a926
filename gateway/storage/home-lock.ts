// One gateway for one home folder: a lock that ends with its process, however that ends.
import { DatabaseSync } from 'node:sqlite'
import { SwarmError } from '../../common/errors.ts'
import { sqliteCode } from './database.ts'

const busy = 5

/**
 * Takes the lock of this file. The operating system frees it when the process ends.
 * @param holder who has it, for the error's message; asked only where the lock is taken
 * @returns frees the lock; does nothing the second time
 * @throws SwarmError BUSY where another gateway holds it
 */
export function takeLock(path: string, holder: () => string | undefined): () => void {
  const lock = new DatabaseSync(path)
  try {
    // a transaction that never ends: SQLite's own locks work on each platform
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    if (sqliteCode(cause) !== busy) throw cause
    const who = holder()
    throw new SwarmError(
      'BUSY',
      `another gateway uses this home folder${who === undefined ? '' : ` (${who})`}: stop it, ` +
        'or set SWARM_HOME to another folder for this one',
      { cause, retryable: false }
    )
  }
  return () => {
    if (lock.isOpen) lock.close()
  }
}
