// The few things that we ask of the Kademlia DHT, as plain calls instead of streams of query events.

import type { KadDHT } from '@libp2p/kad-dht'
import type { CID } from 'multiformats/cid'
import { onAbort } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'

export interface DhtPeer {
  readonly peerId: string
  readonly addresses: readonly string[]
}

/** the part of kad-dht's class that its interface does not show */
interface WithRoutingTable {
  readonly routingTable: { readonly size: number } & EventTarget
}

export class Dht {
  readonly #kad: KadDHT
  readonly #logger: Logger

  constructor(kad: KadDHT, logger: Logger) {
    this.#kad = kad
    this.#logger = logger
  }

  /** Peers in the routing table. */
  get size(): number {
    return (this.#kad as KadDHT & WithRoutingTable).routingTable.size
  }

  /** Waits for a first peer in the routing table; false when `timeoutMs` or the signal ends first. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.size > 0 || signal?.aborted) return this.size > 0
    const { routingTable } = this.#kad as KadDHT & WithRoutingTable
    const done = Promise.withResolvers<void>()
    const finish = () => done.resolve()
    const timer = setTimeout(finish, timeoutMs)
    routingTable.addEventListener('peer:add', finish)
    const stop = onAbort(signal, finish)
    await done.promise
    clearTimeout(timer)
    routingTable.removeEventListener('peer:add', finish)
    stop()
    return this.size > 0
  }

  /** Stores a value with the peers closest to its key. Returns how many took it. */
  async put(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<number> {
    let stored = 0
    for await (const event of this.#kad.put(key, value, { signal })) {
      if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') stored++
    }
    return stored
  }

  /** The best valid value under a key, or null. */
  async get(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | null> {
    try {
      for await (const event of this.#kad.get(key, { signal })) {
        if (event.name === 'VALUE') return event.value
      }
    } catch (error) {
      signal.throwIfAborted()
      this.#logger.debug({ reason: messageOf(error) }, 'a DHT look-up failed')
    }
    return null
  }

  /** Makes this peer a provider of a key. Returns how many peers took note. */
  async provide(key: CID, signal: AbortSignal): Promise<number> {
    let told = 0
    for await (const event of this.#kad.provide(key, { signal })) {
      if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') told++
    }
    return told
  }

  /** The providers of a key, as they are found. */
  async *providers(key: CID, signal: AbortSignal): AsyncIterable<DhtPeer> {
    for await (const event of this.#kad.findProviders(key, { signal })) {
      if (event.name !== 'PROVIDER') continue
      for (const { id, multiaddrs } of event.providers) {
        yield { peerId: id.toString(), addresses: multiaddrs.map(String) }
      }
    }
  }
}
