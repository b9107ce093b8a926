// Peers of the same swarm on the LAN, found by multicast and dialed as they answer.
import type { EventEmitter } from 'node:events'
import type { PeerDiscovery, PeerId, PeerInfo } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { messageOf, SwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { dialTimeoutMs, multicastIntervalMs } from './constants.ts'
import type { SwarmLibp2p } from './libp2p.ts'

type Components = Parameters<ReturnType<typeof mdns>>[0]

/** with the part of upstream's class that its interface does not show */
type Discovery = PeerDiscovery & { start?(): unknown; stop?(): unknown; readonly mdns?: EventEmitter }

export class LocalPeers {
  readonly #libp2p: SwarmLibp2p
  readonly #logger: Logger
  readonly #discovery: Discovery
  readonly #stopping = new AbortController()
  readonly #dialing = new Set<string>()
  #started = false

  /** @param init.tag what `multicastTag` gives; @param init.answers false for clients, which nobody needs to find */
  constructor(components: { libp2p: SwarmLibp2p; logger: Logger }, init: { tag: string; answers: boolean }) {
    this.#libp2p = components.libp2p
    this.#logger = components.logger
    const settings = { serviceTag: init.tag, broadcast: init.answers, interval: multicastIntervalMs }
    // mdns asks for its component of libp2p only when it answers, for our addresses
    const { logger } = this.#libp2p
    const addressManager = { getAddresses: () => this.#libp2p.getMultiaddrs() }
    this.#discovery = mdns(settings)({ logger, addressManager } as unknown as Components)
    this.#discovery.addEventListener('peer', ({ detail }: CustomEvent<PeerInfo>) => void this.#dial(detail))
  }

  async start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    try {
      await this.#discovery.start?.()
      // upstream stops listening to errors before it closes its socket
      this.#discovery.mdns?.on('error', error => this.#logger.debug({ reason: messageOf(error) }, 'multicast failed'))
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'multicast does not work here: no peer is found by it')
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new SwarmError('ABORTED', 'this peer stops'))
    if (this.#started) await this.#discovery.stop?.()
  }

  /** Waits for a first peer to be connected and identified; false when the signal aborts first. */
  async first(signal: AbortSignal): Promise<boolean> {
    const known = () => this.#libp2p.getPeers().length > 0
    if (known()) return true
    const done = Promise.withResolvers<void>()
    const finish = () => done.resolve()
    this.#libp2p.addEventListener('peer:identify', finish)
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
    await done.promise
    this.#libp2p.removeEventListener('peer:identify', finish)
    signal.removeEventListener('abort', finish)
    return known()
  }

  async #dial({ id, multiaddrs }: { id: PeerId; multiaddrs: PeerInfo['multiaddrs'] }): Promise<void> {
    const peer = id.toString()
    const here = this.#libp2p
    if (this.#dialing.has(peer) || id.equals(here.peerId) || here.getConnections(id).length > 0) return
    this.#dialing.add(peer)
    try {
      await here.peerStore.merge(id, { multiaddrs })
      const limit = AbortSignal.timeout(dialTimeoutMs)
      await here.dial(id, { signal: AbortSignal.any([limit, this.#stopping.signal]) })
    } catch (error) {
      this.#logger.debug({ peer, reason: messageOf(error) }, 'a peer found by multicast does not answer')
    } finally {
      this.#dialing.delete(peer)
    }
  }
}
