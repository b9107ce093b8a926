// Formats of what is kept between runs. A number goes up when a file changes its meaning, so that no build misreads another's.
import { SwarmError } from '../errors.ts'

export interface KeptFile {
  readonly path: string
  /** `state of a run` */
  readonly what: string
  /** format that this build writes, and the newest that it reads */
  readonly format: number
  /** what to do about a later one */
  readonly next: string
}

/** Whether a file's `format` is one that a later release writes. A file without one is of format 1. */
export const isLaterFormat = (found: unknown, format: number): boolean =>
  typeof found === 'number' && Number.isInteger(found) && found > format

/** Throws UNSUPPORTED for a file that a later release has written, with both formats and what to do. */
export function checkFormat(found: unknown, { path, what, format, next }: KeptFile): void {
  if (!isLaterFormat(found, format)) return
  const formats = `${what} in format ${found}, this build reads up to ${format}`
  throw new SwarmError('UNSUPPORTED', `${path}: ${formats}: a later release of swarmtune wrote it; ${next}`)
}
