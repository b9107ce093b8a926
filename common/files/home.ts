// The folder for data that swarmtune keeps between runs: converted weights, identities, swarms, blame. For Node alone.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SwarmError } from '../errors.ts'

/** `SWARM_HOME`, else `~/.swarmtune`. Throws NOT_FOUND where the system knows no home folder of the user. */
export function homeFolder(): string {
  if (process.env.SWARM_HOME) return process.env.SWARM_HOME
  try {
    return join(homedir(), '.swarmtune')
  } catch (cause) {
    throw new SwarmError('NOT_FOUND', 'this user has no home folder: set SWARM_HOME to a folder that it can write', {
      cause
    })
  }
}
