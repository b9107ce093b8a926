// Whether a server that says nothing is still there. Knows no message.
import { SwarmError } from '../../../common/errors.ts'
import { second } from '../../../common/units.ts'
import { delay } from '../retry.ts'
import type { Hop } from '../routing.ts'
import { hopError } from '../span-request.ts'

/** Whether a server answers a ping now. Never throws. */
export type IsAlive = (peerId: string, signal: AbortSignal) => Promise<boolean>

/** A server may be silent for so long before it is asked; each time that it answers, twice as long. */
const patienceMs = 2 * second

/** A server that does not answer a ping. */
export function silentError(hop: Hop): SwarmError {
  return hopError(new SwarmError('UNREACHABLE', 'no answer'), hop, 'session')
}

/** Work that waits for a server, given up when that is silent and does not answer pings either: throws UNREACHABLE. */
export async function whileAlive<T>(
  hop: Hop,
  isAlive: IsAlive | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal
): Promise<T> {
  if (isAlive === undefined) return await work(signal)
  const silence = new AbortController()
  const done = new AbortController()
  const watch = async (): Promise<void> => {
    for (let patience = patienceMs; ; patience *= 2) {
      await delay(patience, done.signal)
      const answers = await isAlive(hop.peerId, done.signal)
      if (!answers && !done.signal.aborted) return silence.abort(silentError(hop))
    }
  }
  watch().catch(() => {}) // the work is done
  try {
    return await work(AbortSignal.any([signal, silence.signal]))
  } finally {
    done.abort()
  }
}
