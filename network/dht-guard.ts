// Bounds what others may have this peer store for the DHT, by who asks, and tells the rules of records who that is.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { PeerId } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { SwarmError } from '../common/errors.ts'
import { maxKeysPerHost, maxKeysPerPeer, maxQuotaSources, quotaWindowMs } from './constants.ts'
import { SourceQuota } from './source-quota.ts'

interface StoreMessage {
  readonly key?: Uint8Array
}

interface StoreHandler {
  handle(peer: PeerId, message: StoreMessage): Promise<unknown>
}

/** the part of kad-dht's class that its interface does not show */
interface WithHandlers {
  readonly rpc: { readonly handlers: Record<string, StoreHandler> }
}

const sender = new AsyncLocalStorage<string>()

/** The host whose request to store a record is being served; undefined outside one. */
export function storingHost(): string | undefined {
  return sender.getStore()
}

/** @param hostOf host that a peer is connected from */
export function guardDht(kad: KadDHT, hostOf: (peer: PeerId) => string): void {
  const init = { windowMs: quotaWindowMs, maxSources: maxQuotaSources }
  const ofPeers = new SourceQuota({ ...init, maxKeys: maxKeysPerPeer })
  const ofHosts = new SourceQuota({ ...init, maxKeys: maxKeysPerHost })
  const { handlers } = (kad as KadDHT & WithHandlers).rpc
  for (const type of ['PUT_VALUE', 'ADD_PROVIDER']) {
    const handler = handlers[type]!
    const store = handler.handle.bind(handler)
    handler.handle = async (peer, message) => {
      const host = hostOf(peer)
      const key = `${type} ${Buffer.from(message.key ?? []).toString('latin1')}`
      // of one host, each peer's own key counts: who makes up peers makes up providers of one key
      if (!ofPeers.admit(peer.toString(), key) || !ofHosts.admit(host, `${key} ${peer}`)) {
        throw new SwarmError('BUSY', `${peer} has this peer store too much`)
      }
      return sender.run(host, () => store(peer, message))
    }
  }
}
