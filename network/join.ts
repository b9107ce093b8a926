// Joining a swarm: one address that answers is enough.

import { setTimeout as pauseFor } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { messageOf, SwarmError, toSwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { withResource } from '../common/resource.ts'
import { dialReason, peerIdOf } from './addresses.ts'
import { joinRetryMs, joinTimeoutMs, multicastTimeoutMs } from './constants.ts'
import type { LocalPeers } from './discovery/local-peers.ts'
import type { SwarmLibp2p } from './libp2p/node.ts'
import { startDeadline } from './streams/deadline.ts'

interface Components {
  readonly libp2p: SwarmLibp2p
  readonly localPeers: LocalPeers | undefined
  readonly logger: Logger
}

interface JoinOptions {
  /** whether the swarm is a private one: a hint in errors */
  readonly secret: boolean
  /** a peer that serves may be the first one */
  readonly serves: boolean
  /** try again until a peer answers */
  readonly patient: boolean
  readonly signal: AbortSignal
}

/**
 * Returns when a first peer has answered and said what it can do: one of the addresses, or one that multicast finds.
 * Does nothing without either, or when all addresses are our own; who serves does not wait for multicast alone. Throws
 * UNREACHABLE, naming each address and why it failed, when no peer answers; a patient peer logs that once and tries again.
 */
export async function join(
  components: Components,
  addresses: readonly Multiaddr[],
  options: JoinOptions
): Promise<void> {
  const { libp2p, logger } = components
  const { signal } = options
  const others = addresses.filter(address => peerIdOf(address) !== libp2p.peerId.toString())
  for (let attempt = 0; ; attempt++) {
    try {
      await joinOnce(components, others, options)
      if (attempt > 0) logger.warn({ attempts: attempt + 1 }, 'joined: a peer answers now')
      return
    } catch (error) {
      if (!options.patient || signal.aborted || toSwarmError(error).code !== 'UNREACHABLE') throw error
      if (attempt === 0) logger.warn({ reason: messageOf(error) }, 'waits until a peer to join answers')
    }
    await pauseFor(joinRetryMs[Math.min(attempt, joinRetryMs.length - 1)]!, undefined, { signal }).catch(() =>
      signal.throwIfAborted()
    )
  }
}

async function joinOnce(components: Components, others: readonly Multiaddr[], options: JoinOptions): Promise<void> {
  const local = components.localPeers
  if (others.length === 0) {
    if (local && !options.serves) await firstLocal(local, options.signal)
    return
  }
  if (!local) return await dialAny(components, others, options)
  const dialed = dialAny(components, others, options)
  try {
    await Promise.any([dialed, firstLocal(local, options.signal)])
  } catch {
    // the reasons of the named addresses say more than that the LAN is empty too
    await dialed
  }
}

/** Waits for a first peer that multicast finds. Throws UNREACHABLE where there is none in time. */
async function firstLocal(localPeers: LocalPeers, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(multicastTimeoutMs)
  if (await localPeers.first(AbortSignal.any([limit, signal]))) return
  signal.throwIfAborted()
  const hint =
    "say --join <address> or --swarm <invite> where the peers are not on this LAN; 'swarm doctor' checks multicast"
  throw new SwarmError('UNREACHABLE', `no peer of the swarm answers multicast within ${multicastTimeoutMs} ms: ${hint}`)
}

/** The addresses in groups that are dialed at once: those of one peer together, those that name none each alone. */
function byPeer(addresses: readonly Multiaddr[]): Multiaddr[][] {
  return [...Map.groupBy(addresses, address => peerIdOf(address) ?? address.toString()).values()]
}

/** Dials every address and returns when the first peer has answered; the others are dialed on in the background. */
async function dialAny(
  { libp2p, logger }: Components,
  addresses: readonly Multiaddr[],
  { secret, signal: stopping }: JoinOptions
): Promise<void> {
  await withResource(startDeadline(joinTimeoutMs, 'joining', stopping), async deadline => {
    const { signal } = deadline
    const reasons: string[] = []
    const dials = byPeer(addresses).map(async group => {
      try {
        const { remotePeer } = await libp2p.dial(group, { signal })
        await identified(libp2p, remotePeer, signal)
      } catch (error) {
        const reason = dialReason(signal.aborted ? signal.reason : error)
        reasons.push(...group.map(address => `${address}: ${reason}`))
        logger.debug({ addresses: group.map(String), reason }, 'an address to join does not answer')
        throw error
      }
    })
    try {
      await Promise.any(dials)
    } catch (cause) {
      if (stopping.aborted) throw toSwarmError(stopping.reason)
      const list = reasons.map(reason => `\n  ${reason}`).join('')
      const open = 'is a peer running there? (a private swarm lets nobody in without its invite: --swarm)'
      const hint = secret ? 'is a peer running there, with the secret of the same invite?' : open
      throw new SwarmError('UNREACHABLE', `no peer to join answers:${list}\n${hint}`, { cause })
    }
  })
}

const closedAtOnce = () => new Error('it closed the connection at once (has it an allow-list?)')

/** Waits until libp2p knows which protocols the peer speaks. */
async function identified(libp2p: SwarmLibp2p, peer: PeerId, signal: AbortSignal): Promise<void> {
  const done = Promise.withResolvers<void>()
  // it may be settled while the peer store is asked, when nobody awaits it yet
  done.promise.catch(() => {})
  const listener = (event: CustomEvent<{ peerId: PeerId }>) => {
    if (event.detail.peerId.equals(peer)) done.resolve()
  }
  const aborted = () => done.reject(signal.reason)
  const gone = (event: CustomEvent<PeerId>) => {
    if (event.detail.equals(peer)) done.reject(closedAtOnce())
  }
  libp2p.addEventListener('peer:identify', listener)
  libp2p.addEventListener('peer:disconnect', gone)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    const known = await libp2p.peerStore.has(peer)
    if (known && (await libp2p.peerStore.get(peer)).protocols.length > 0) return
    // it may have gone before we listened
    if (libp2p.getConnections(peer).length === 0) throw closedAtOnce()
    await done.promise
  } finally {
    libp2p.removeEventListener('peer:identify', listener)
    libp2p.removeEventListener('peer:disconnect', gone)
    signal.removeEventListener('abort', aborted)
  }
}
