// A command line that cannot be carried out as it was written, whatever the swarm and the files hold.
import { SwarmError } from '../common/errors.ts'

/** Ends a command with status 2. The message names the options as they are typed: `--top-p: expected 0 to 1, found 2`. */
export class UsageError extends SwarmError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('INVALID_ARGUMENT', message, options)
    this.name = 'UsageError'
  }
}
