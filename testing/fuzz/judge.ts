// What a reader may do with an input: take it, or refuse it with an error of ours, soon.
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'
import type { FuzzTarget } from './target.ts'

/** One input takes no longer, whatever it is; on a quiet machine a hundredth of it. */
export const slowMs = 5 * second

/** Why the run of an input is a fault; null where it is none. */
export async function judgeOutcome(target: FuzzTarget, input: Uint8Array): Promise<string | null> {
  const start = process.cpuUsage()
  try {
    await target.run(input)
  } catch (error) {
    if (!(error instanceof SwarmError)) return error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (error.code === 'INTERNAL') return error.stack ?? error.message
    if (error.message.includes('\n')) return `an error of several lines: ${error.message}`
  }
  const { user, system } = process.cpuUsage(start)
  const tookMs = (user + system) / 1000
  return tookMs > slowMs ? `took ${Math.round(tookMs)} ms` : null
}
