// Ids and times as OpenAI writes them.
import { randomBytes } from 'node:crypto'
import { second } from '../../common/units.ts'

/** `file-` and 24 letters and digits that no other has. */
export function newId(prefix: 'file' | 'ftjob' | 'ftevent'): string {
  return `${prefix}-${randomBytes(12).toString('hex')}`
}

/** Now, in seconds since 1970. */
export function unixTime(): number {
  return Math.floor(Date.now() / second)
}
