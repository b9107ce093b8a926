// An invalid command line, independent of swarm and files.
import { SwarmError } from '../../common/errors.ts'

/** Ends a command with status 2. The message names the options as they are typed: `--top-p: expected 0 to 1, found 2`. */
export class UsageError extends SwarmError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('INVALID_ARGUMENT', message, options)
    this.name = 'UsageError'
  }
}

/** What `read` makes of the command line: an INVALID_ARGUMENT of it is a UsageError. */
export async function asUsage<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code !== 'INVALID_ARGUMENT') throw error
    throw new UsageError(error.message, { cause: error })
  }
}
