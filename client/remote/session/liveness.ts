// Whether a server that says nothing is still there. Knows no message.
import { SwarmError } from '../../../common/errors.ts'
import { isThere, sessionSilence, unlessSilent } from '../../../network/streams/silence.ts'
import { hopError } from '../passes/span-request.ts'
import type { Hop } from '../routing/routing.ts'

/** Asks a server for a sign of life; rejects where none comes. */
export type LivenessPing = (peerId: string, signal: AbortSignal) => Promise<unknown>

/** A server of a session, and how to find out whether it is there. */
export interface Watch {
  readonly hop: Hop
  /** absent: servers that are silent are waited for */
  readonly ping: LivenessPing | undefined
  /** when bytes last came from it, or left for it: a time of `performance.now()` */
  activeAt(): number
}

/** A server that does not answer a ping. */
export function silentError(hop: Hop): SwarmError {
  return hopError(new SwarmError('UNREACHABLE', 'no answer'), hop, 'session')
}

/** Work that waits for a server, given up when that is silent and does not answer pings either: throws UNREACHABLE. */
export async function whileAlive<T>(
  { hop, ping, activeAt }: Watch,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal
): Promise<T> {
  if (ping === undefined) return await work(signal)
  const lost = (): SwarmError => silentError(hop)
  return await unlessSilent({ activeAt, ping: limit => ping(hop.peerId, limit), lost }, sessionSilence, work, signal)
}

/** Whether the server answers a ping now, or bytes come or go. Never throws. */
export async function isAlive({ hop, ping, activeAt }: Watch, signal: AbortSignal): Promise<boolean> {
  if (ping === undefined) return true
  return await isThere({ activeAt, ping: limit => ping(hop.peerId, limit) }, sessionSilence.answerMs, signal)
}
