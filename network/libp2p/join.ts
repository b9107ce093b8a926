// Joining a swarm: one address that answers is enough.

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { delay, onAbort, settled } from '../../common/async.ts'
import { toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { withResource } from '../../common/resource.ts'
import { peerIdOf } from '../addresses.ts'
import { joinRetryMs, joinTimeoutMs, multicastTimeoutMs } from '../constants.ts'
import type { LocalPeers } from '../discovery/local-peers.ts'
import { ClosedAtOnceError, type DialFailure, dialFailure, type JoinResult } from '../state/dial-failure.ts'
import { SwarmStateError } from '../state/error.ts'
import { stateSentence } from '../state/sentences.ts'
import { swarmState } from '../state/swarm-state.ts'
import { startDeadline } from '../streams/deadline.ts'
import type { SwarmLibp2p } from './node.ts'

interface Components {
  readonly libp2p: SwarmLibp2p
  readonly localPeers: LocalPeers | undefined
  readonly logger: Logger
}

interface JoinOptions {
  /** name of the private swarm, empty if unknown; undefined: an open swarm */
  readonly swarm?: string
  /** without an address: do not wait for a peer that multicast finds, as this one may be the first */
  readonly alone: boolean
  /** try again until a peer answers */
  readonly patient: boolean
  /** called with the outcome of each address, also after the first peer has answered */
  readonly onDialed?: (result: JoinResult) => void
  readonly signal: AbortSignal
}

/**
 * Returns when a first peer has answered and said what it can do: one of the addresses, or one that multicast finds.
 * Does nothing without either, or when all addresses are our own; one that may be alone does not wait for multicast. Throws a
 * SwarmStateError (UNREACHABLE) that names each address and why it failed, when no peer answers; a patient peer logs that once
 * and tries again.
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
      const reason = error instanceof SwarmStateError ? stateSentence(error.state, 'cli').what : String(error)
      if (attempt === 0) logger.warn({ reason }, 'waits until a peer to join answers')
    }
    await delay(joinRetryMs[Math.min(attempt, joinRetryMs.length - 1)]!, signal)
  }
}

async function joinOnce(components: Components, others: readonly Multiaddr[], options: JoinOptions): Promise<void> {
  const local = components.localPeers
  if (others.length === 0) {
    if (local && !options.alone) await firstLocal(local, options)
    return
  }
  if (!local) return await dialAny(components, others, options)
  const dialed = dialAny(components, others, options)
  try {
    await Promise.any([dialed, firstLocal(local, options)])
  } catch {
    // the causes for the given addresses are more useful than an empty LAN
    await dialed
  }
}

/** Waits for a first peer found by multicast. Throws UNREACHABLE if there is none in time. */
async function firstLocal(localPeers: LocalPeers, { signal, swarm }: JoinOptions): Promise<void> {
  const limit = AbortSignal.timeout(multicastTimeoutMs)
  if (await localPeers.first(AbortSignal.any([limit, signal]))) return
  signal.throwIfAborted()
  throw new SwarmStateError(swarmState({ connected: 0, searchedMs: multicastTimeoutMs, swarm }))
}

/** The addresses in groups that are dialed at once: those of one peer together, those that name none each alone. */
function byPeer(addresses: readonly Multiaddr[]): Multiaddr[][] {
  return [...Map.groupBy(addresses, address => peerIdOf(address) ?? address.toString()).values()]
}

/** Dials every address and returns when the first peer has answered; the others are dialed on in the background. */
async function dialAny(
  { libp2p, logger }: Components,
  addresses: readonly Multiaddr[],
  { swarm, onDialed = () => {}, signal: stopping }: JoinOptions
): Promise<void> {
  await withResource(startDeadline(joinTimeoutMs, 'joining', stopping), async deadline => {
    const { signal } = deadline
    const dials: DialFailure[] = []
    const dialing = byPeer(addresses).map(async group => {
      try {
        const { remotePeer } = await libp2p.dial(group, { signal })
        await identified(libp2p, remotePeer, signal)
        for (const address of group) onDialed({ address: address.toString() })
      } catch (error) {
        const failures = group.map(address => dialFailure(address.toString(), signal.aborted ? signal.reason : error))
        dials.push(...failures)
        for (const failure of failures) {
          onDialed({ address: failure.address, failure })
          logger.debug(failure, 'an address to join does not answer')
        }
        throw error
      }
    })
    try {
      await Promise.any(dialing)
    } catch (cause) {
      if (stopping.aborted) throw toSwarmError(stopping.reason)
      throw new SwarmStateError(swarmState({ connected: 0, dials, swarm, self: libp2p.peerId.toString() }), { cause })
    }
  })
}

/** Waits until libp2p knows which protocols the peer speaks. */
async function identified(libp2p: SwarmLibp2p, peer: PeerId, signal: AbortSignal): Promise<void> {
  const done = Promise.withResolvers<void>()
  // it may settle during the look-up in the peer store, before it is awaited
  void settled(done.promise)
  const listener = (event: CustomEvent<{ peerId: PeerId }>) => {
    if (event.detail.peerId.equals(peer)) done.resolve()
  }
  const gone = (event: CustomEvent<PeerId>) => {
    if (event.detail.equals(peer)) done.reject(new ClosedAtOnceError())
  }
  libp2p.addEventListener('peer:identify', listener)
  libp2p.addEventListener('peer:disconnect', gone)
  const stop = onAbort(signal, () => done.reject(signal.reason))
  try {
    const known = await libp2p.peerStore.has(peer)
    if (known && (await libp2p.peerStore.get(peer)).protocols.length > 0) return
    // it may have gone before we listened
    if (libp2p.getConnections(peer).length === 0) throw new ClosedAtOnceError()
    await done.promise
  } finally {
    libp2p.removeEventListener('peer:identify', listener)
    libp2p.removeEventListener('peer:disconnect', gone)
    stop()
  }
}
