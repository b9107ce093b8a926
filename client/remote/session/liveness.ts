// Checks whether a silent server is still alive. Knows no messages.
import { SwarmError } from '../../../common/errors.ts'
import { isThere, sessionSilence, unlessSilent } from '../../../network/streams/silence.ts'
import { hopError } from '../passes/span-request.ts'
import type { Hop } from '../routing/routing.ts'

/** Pings a server; rejects without an answer. */
export type LivenessPing = (peerId: string, signal: AbortSignal) => Promise<unknown>

/** A server of a session, and a way to check whether it is alive. */
export interface Watch {
  readonly hop: Hop
  /** absent: servers that are silent are waited for */
  readonly ping: LivenessPing | undefined
  /** when bytes last arrived from it or were sent to it: a time of `performance.now()` */
  activeAt(): number
}

/** A server that does not answer a ping. */
export function silentError(hop: Hop): SwarmError {
  return hopError(new SwarmError('UNREACHABLE', 'no answer'), hop, 'session')
}

/** Waits for a server's work. Throws UNREACHABLE when the server is silent and does not answer pings. */
export async function whileAlive<T>(
  { hop, ping, activeAt }: Watch,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal
): Promise<T> {
  if (ping === undefined) return await work(signal)
  const lost = (): SwarmError => silentError(hop)
  return await unlessSilent({ activeAt, ping: limit => ping(hop.peerId, limit), lost }, sessionSilence, work, signal)
}

/** Whether the server answers a ping now, or bytes move in either direction. Never throws. */
export async function isAlive({ hop, ping, activeAt }: Watch, signal: AbortSignal): Promise<boolean> {
  if (ping === undefined) return true
  return await isThere({ activeAt, ping: limit => ping(hop.peerId, limit) }, sessionSilence.answerMs, signal)
}
