// Peers of the same swarm on the LAN, found by multicast and dialed as they answer.

import type { EventEmitter } from 'node:events'
import type { Libp2p, PeerDiscovery, PeerId, PeerInfo } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { onAbort } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { dialTimeoutMs, maxMulticastDials, multicastIntervalMs } from '../constants.ts'

/** A peer that was found on the LAN and not named. */
export interface FoundPeer {
  /** peer id in base58 */
  readonly peerId: string
  /** multiaddr that it answered at */
  readonly address: string
}

type Components = Parameters<ReturnType<typeof mdns>>[0]

/** with the part of upstream's class that its interface does not show */
type Discovery = PeerDiscovery & { start?(): unknown; stop?(): unknown; readonly mdns?: EventEmitter }

/** maximum interval of a timer, for a name that is answered but not queried */
const neverMs = 2 ** 31 - 1

export class LocalPeers {
  readonly #libp2p: Libp2p
  readonly #logger: Logger
  readonly #discovery: Discovery
  /** answers under a second name, and ignores answers */
  readonly #second: Discovery | undefined
  readonly #stopping = new AbortController()
  readonly #dialing = new Set<string>()
  /** peers that answered, and peers that libp2p identified */
  readonly #found = new Set<string>()
  readonly #identified = new Set<string>()
  readonly #waiting = new Set<() => void>()
  readonly #onFound: (peer: FoundPeer) => void
  #started = false

  /**
   * @param init.tag the result of `multicastTag` @param init.answerTag another tag, answered but not queried
   * @param init.answers false for clients, which no peer needs to find
   */
  constructor(
    components: { libp2p: Libp2p; logger: Logger },
    init: { tag: string; answerTag?: string; answers: boolean; onFound?: (peer: FoundPeer) => void }
  ) {
    this.#onFound = init.onFound ?? (() => {})
    this.#libp2p = components.libp2p
    this.#logger = components.logger
    const settings = { serviceTag: init.tag, broadcast: init.answers, interval: multicastIntervalMs }
    // mdns asks for its component of libp2p only when it answers, for our addresses
    const { logger } = this.#libp2p
    const addressManager = { getAddresses: () => this.#libp2p.getMultiaddrs() }
    const mdnsComponents = { logger, addressManager } as unknown as Components
    this.#discovery = mdns(settings)(mdnsComponents)
    const { answerTag } = init
    if (answerTag !== undefined && init.answers) {
      this.#second = mdns({ serviceTag: answerTag, broadcast: true, interval: neverMs })(mdnsComponents)
    }
    const identified = ({ detail }: CustomEvent<{ peerId: PeerId }>) => {
      this.#identified.add(detail.peerId.toString())
      for (const look of this.#waiting) look()
    }
    const gone = ({ detail }: CustomEvent<PeerId>) => {
      this.#found.delete(detail.toString())
      this.#identified.delete(detail.toString())
    }
    this.#libp2p.addEventListener('peer:identify', identified)
    this.#libp2p.addEventListener('peer:disconnect', gone)
    this.#discovery.addEventListener('peer', ({ detail }: CustomEvent<PeerInfo>) => void this.#dial(detail))
  }

  async start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    try {
      for (const discovery of this.#all) {
        await discovery.start?.()
        // upstream stops listening to errors before it closes its socket
        discovery.mdns?.on('error', error => this.#logger.debug({ reason: messageOf(error) }, 'multicast failed'))
      }
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'multicast does not work here: peers of the LAN are not found')
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new SwarmError('ABORTED', 'this peer stops'))
    if (this.#started) await Promise.all(this.#all.map(discovery => discovery.stop?.()))
  }

  get #all(): readonly Discovery[] {
    return this.#second ? [this.#discovery, this.#second] : [this.#discovery]
  }

  /** Waits for a first peer that was found here to be connected and identified; false when the signal aborts first. */
  async first(signal: AbortSignal): Promise<boolean> {
    const known = () => [...this.#found].some(peer => this.#identified.has(peer))
    if (known()) return true
    const done = Promise.withResolvers<void>()
    const finish = () => done.resolve()
    const look = () => {
      if (known()) finish()
    }
    this.#waiting.add(look)
    const stop = onAbort(signal, finish)
    await done.promise
    this.#waiting.delete(look)
    stop()
    return known()
  }

  async #dial({ id, multiaddrs }: { id: PeerId; multiaddrs: PeerInfo['multiaddrs'] }): Promise<void> {
    const peer = id.toString()
    const here = this.#libp2p
    // fake answers are free, so excess ones are dropped; real peers answer the next query again
    if (this.#dialing.size >= maxMulticastDials) return
    if (this.#dialing.has(peer) || id.equals(here.peerId) || here.getConnections(id).length > 0) return
    this.#dialing.add(peer)
    try {
      await here.peerStore.merge(id, { multiaddrs })
      const limit = AbortSignal.timeout(dialTimeoutMs)
      const { remoteAddr } = await here.dial(id, { signal: AbortSignal.any([limit, this.#stopping.signal]) })
      this.#found.add(peer)
      for (const look of this.#waiting) look()
      this.#logger.info({ peer, address: remoteAddr.toString() }, 'found on the LAN')
      this.#onFound({ peerId: peer, address: remoteAddr.toString() })
    } catch (error) {
      this.#logger.debug({ peer, reason: messageOf(error) }, 'a peer found by multicast does not answer')
    } finally {
      this.#dialing.delete(peer)
    }
  }
}
