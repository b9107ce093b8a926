// Limits what each peer and host may store here for the DHT, and passes the storing host to the record rules. Answers
// omit providers without addresses and list met providers first.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { PeerId } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import protobuf from 'protobufjs/minimal.js'
import { SwarmError } from '../../common/errors.ts'
import { maxKeysPerHost, maxKeysPerPeer, maxProvidersTold, maxQuotaSources, quotaWindowMs } from '../constants.ts'
import { type DhtMessage, trimmed } from './dht-wire.ts'
import { fairly } from './fairly.ts'
import { SourceQuota } from './source-quota.ts'

interface Handler {
  handle(peer: PeerId, message: DhtMessage): Promise<unknown>
}

/** the part of kad-dht's class that its interface does not show, 16.x */
interface WithHandlers {
  readonly rpc: { readonly handlers: Record<string, Handler> }
}

const sender = new AsyncLocalStorage<string>()

/** The host whose request to store a record is being served; undefined outside one. */
export function storingHost(): string | undefined {
  return sender.getStore()
}

/** Field 1, the key, of a marshalled libp2p `Record`. Throws RangeError for an invalid record. */
function keyOfRecord(record: Uint8Array): Uint8Array {
  const reader = protobuf.Reader.create(record)
  let key: Uint8Array = new Uint8Array()
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === 0x0a) key = reader.bytes()
    else reader.skipType(tag & 7)
  }
  return key
}

/**
 * Throws INVALID_ARGUMENT if a message and its record have different keys, because the record's would not be counted.
 */
function checkKeys({ key = new Uint8Array(), record }: DhtMessage): void {
  if (record === undefined || Buffer.from(keyOfRecord(record)).equals(key)) return
  throw new SwarmError('INVALID_ARGUMENT', 'the key of a message is not the key of its record')
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
      checkKeys(message)
      const host = hostOf(peer)
      const key = `${type} ${Buffer.from(message.key ?? []).toString('latin1')}`
      // per host, each peer's own key counts, because made-up peers can all provide one key
      if (!ofPeers.admit(peer.toString(), key) || !ofHosts.admit(host, `${key} ${peer}`)) {
        throw new SwarmError('BUSY', `${peer} exceeds its quota of stored records`)
      }
      return sender.run(host, () => store(peer, trimmed(message, peer)))
    }
  }
}

interface KnownPeer {
  readonly id: PeerId
  readonly addresses: readonly unknown[]
}

/** the part of kad-dht's class that its interface does not show, 16.x */
interface WithProviders {
  readonly providers: { getProviders(key: unknown, options?: object): Promise<PeerId[]> }
  readonly rpc: {
    readonly handlers: { readonly GET_PROVIDERS: { peerStore: { get(id: PeerId): Promise<KnownPeer> } } }
  }
}

/** Answers list at most `maxProvidersTold` dialable providers, met ones first. */
export function guardProviders(
  kad: KadDHT,
  { hostOf, isMet }: { readonly hostOf: (peer: PeerId) => string; readonly isMet: (peer: PeerId) => boolean }
): void {
  const { providers, rpc } = kad as KadDHT & WithProviders
  const stored = providers.getProviders.bind(providers)
  providers.getProviders = async (key, options) => {
    // the latest first
    const all = (await stored(key, options)).reverse()
    const met = all.filter(isMet)
    const others = all.filter(peer => !isMet(peer))
    return [...fairly(met, hostOf), ...fairly(others, hostOf)].slice(0, maxProvidersTold)
  }
  const handler = rpc.handlers.GET_PROVIDERS
  const { peerStore } = handler
  handler.peerStore = {
    // addresses are forgotten long before providers are; the answer leaves out peers without any
    get: id => peerStore.get(id).catch(() => ({ id, addresses: [] }))
  }
}
