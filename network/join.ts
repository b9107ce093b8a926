// Joining a swarm: one address that answers is enough.

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { SwarmError, toSwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { withResource } from '../common/resource.ts'
import { dialReason, peerIdOf } from './addresses.ts'
import { joinTimeoutMs } from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { SwarmLibp2p } from './libp2p.ts'

/**
 * Dials every address and returns when the first peer has answered and said what it can do; the others are dialed on in
 * the background. Does nothing without addresses, or when they are all our own. Throws UNREACHABLE, naming each address
 * and why it failed, when none answers.
 */
export async function join(
  libp2p: SwarmLibp2p,
  addresses: readonly Multiaddr[],
  logger: Logger,
  stopping: AbortSignal
): Promise<void> {
  const others = addresses.filter(address => peerIdOf(address) !== libp2p.peerId.toString())
  if (others.length === 0) return
  await withResource(startDeadline(joinTimeoutMs, 'joining', stopping), async deadline => {
    const { signal } = deadline
    const reasons: string[] = []
    const dials = others.map(async address => {
      try {
        const { remotePeer } = await libp2p.dial(address, { signal })
        await identified(libp2p, remotePeer, signal)
      } catch (error) {
        const reason = dialReason(signal.aborted ? signal.reason : error)
        reasons.push(`${address}: ${reason}`)
        logger.warn({ address: address.toString(), reason }, 'an address to join does not answer')
        throw error
      }
    })
    try {
      await Promise.any(dials)
    } catch (cause) {
      if (stopping.aborted) throw toSwarmError(stopping.reason)
      const list = reasons.map(reason => `\n  ${reason}`).join('')
      throw new SwarmError('UNREACHABLE', `no peer to join answers:${list}\nis a peer running there?`, { cause })
    }
  })
}

/** Waits until libp2p knows which protocols the peer speaks. */
async function identified(libp2p: SwarmLibp2p, peer: PeerId, signal: AbortSignal): Promise<void> {
  const done = Promise.withResolvers<void>()
  const listener = (event: CustomEvent<{ peerId: PeerId }>) => {
    if (event.detail.peerId.equals(peer)) done.resolve()
  }
  const aborted = () => done.reject(signal.reason)
  libp2p.addEventListener('peer:identify', listener)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    const known = await libp2p.peerStore.has(peer)
    if (known && (await libp2p.peerStore.get(peer)).protocols.length > 0) return
    await done.promise
  } finally {
    libp2p.removeEventListener('peer:identify', listener)
    signal.removeEventListener('abort', aborted)
  }
}
