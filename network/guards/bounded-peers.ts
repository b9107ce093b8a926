// Limits the stored addresses of a peer. libp2p adds the addresses of every message without a limit.
import type { Address, Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface'
import { maxAddressesPerPeer } from '../constants.ts'

function trimmed(data: PeerData): PeerData {
  return {
    ...data,
    ...(data.multiaddrs && { multiaddrs: data.multiaddrs.slice(0, maxAddressesPerPeer) }),
    ...(data.addresses && { addresses: data.addresses.slice(0, maxAddressesPerPeer) })
  }
}

/** The latest addresses first, then others up to the limit. */
function kept({ addresses }: Peer, { multiaddrs = [], addresses: said = [] }: PeerData): Address[] {
  const latest = new Set([...multiaddrs, ...said.map(({ multiaddr }) => multiaddr)].map(String))
  const isLatest = ({ multiaddr }: Address) => latest.has(multiaddr.toString())
  return [...addresses.filter(isLatest), ...addresses.filter(address => !isLatest(address))].slice(
    0,
    maxAddressesPerPeer
  )
}

/** Limits the addresses in the store, from messages of any protocol. @param own this peer, which has no limit */
export function limitAddresses(store: PeerStore, own: PeerId): void {
  for (const method of ['save', 'patch'] as const) {
    const write = store[method].bind(store)
    store[method] = (id, data, options) => write(id, id.equals(own) ? data : trimmed(data), options)
  }
  const merge = store.merge.bind(store)
  store.merge = async (id, data, options) => {
    if (id.equals(own)) return await merge(id, data, options)
    const bounded = trimmed(data)
    const peer = await merge(id, bounded, options)
    if (peer.addresses.length <= maxAddressesPerPeer) return peer
    return await store.patch(id, { addresses: kept(peer, bounded) }, options)
  }
}
