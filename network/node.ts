// Makes peers of the swarm. What the rest of the project imports of the network.
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { silent } from '../common/logger.ts'
import { checkOptions } from '../common/options.ts'
import { checkAddresses, toMultiaddrs } from './addresses.ts'
import { Directory } from './discovery/directory.ts'
import { recordRules } from './discovery/records.ts'
import { defaultListen, Libp2pNetwork } from './libp2p/network.ts'
import { createNode } from './libp2p/node.ts'
import { type Network, type NetworkInit, networkKeys } from './network.ts'
import { generateIdentity, loadIdentity } from './private/identity.ts'

export type * from './network.ts'
export { loadIdentity, type PrivateKey } from './private/identity.ts'
export type { MessageStream } from './streams/message-stream.ts'

/**
 * A peer, not started: `listen: []` makes a client. Throws INVALID_ARGUMENT on addresses that are none and on an
 * identity file that holds no key.
 */
export async function createNetwork(init: NetworkInit = {}): Promise<Network> {
  checkOptions('createNetwork', init, networkKeys)
  const listen = init.listen ?? defaultListen
  checkAddresses(listen, 'listen address')
  const join = toMultiaddrs(init.join ?? [], 'join address')
  const announce = toMultiaddrs(init.announce ?? [], 'announce address')
  const { privateKey: given, identityPath, logger = silent } = init
  const privateKey = given ?? (identityPath === undefined ? await generateIdentity() : await loadIdentity(identityPath))
  const own = peerIdFromPrivateKey(privateKey).toString()
  const allow = init.allow && new Map([...init.allow, [own, 'server' as const]])
  const directory = new Directory({ logger, allow })
  const libp2p = await createNode({
    ...init,
    privateKey,
    isKnown: peer => directory.get(peer) !== undefined,
    onRefused: peer => logger.info({ peer }, 'a peer that is not on the allow-list was refused'),
    // behind a router: also whichever relays the peers are
    listen: init.nat && listen.length > 0 ? [...listen, '/p2p-circuit'] : listen,
    announce,
    ...recordRules(directory)
  })
  return new Libp2pNetwork({ libp2p, privateKey, directory, logger }, { ...init, join, announce })
}
