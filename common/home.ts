// The folder for what swarmtune keeps between runs: converted weights, identities, swarms, blame. For Node alone.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `SWARM_HOME`, else `~/.swarmtune`. Throws where the system knows no home folder of the user. */
export function homeFolder(): string {
  return process.env.SWARM_HOME || join(homedir(), '.swarmtune')
}
