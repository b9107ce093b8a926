// Finding the servers of a model: cheap questions first, the DHT's records last.
import { dhtProtocol, protocols } from '../proto/protocols.ts'
import type { Announcement } from './announcement.ts'
import { dhtReadyTimeoutMs, lookupTimeoutMs } from './constants.ts'
import type { DhtPeer } from './dht.ts'
import { askDirectory } from './gossip.ts'
import type { Network } from './network.ts'
import { modelKey, recordKey } from './records.ts'

export interface FindOptions {
  readonly signal?: AbortSignal
  /** whether what is found will do; default: anything. More and dearer ways are tried until it says yes */
  readonly enough?: (servers: readonly Announcement[]) => boolean
}

/** peers asked for their directory at once, and servers of the model asked in a second round */
const firstRound = 3
const secondRound = 2

type Seeker = Pick<Network, 'peerId' | 'directory' | 'dht' | 'request' | 'peersWith' | 'hostOf'>

/**
 * The servers of a model, freshest announcement of each, all of them verified and not expired; empty when none is found.
 * Asks connected peers for their directory and then servers of the model for theirs; else looks up the providers of the
 * model on the DHT and asks those; else reads the providers' records from the DHT. Throws when `signal` aborts, and INTERNAL
 * where the DHT itself fails.
 */
export async function findServers(network: Seeker, model: string, options: FindOptions = {}): Promise<Announcement[]> {
  const { signal } = options
  const enough = options.enough ?? (servers => servers.length > 0)
  const others = () => network.directory.list(model).filter(server => server.peerId !== network.peerId)
  const asked = new Set<string>([network.peerId])
  const ask = async (peers: readonly { peerId: string; addresses: readonly string[] }[]) => {
    const fresh = peers.filter(peer => !asked.has(peer.peerId))
    for (const peer of fresh) asked.add(peer.peerId)
    const context = signal ? { signal } : {}
    // whoever does not answer is one of several
    await Promise.allSettled(
      fresh.map(({ peerId, addresses }) => askDirectory(network, peerId, model, { addresses, ...context }))
    )
    signal?.throwIfAborted()
  }

  const connected = shuffle(await network.peersWith(protocols.directory)).slice(0, firstRound)
  await ask(connected.map(peerId => ({ peerId, addresses: [] })))
  await ask(shuffle(others()).slice(0, secondRound))
  if (enough(others())) return others()

  const providers = new Map<string, DhtPeer>()
  const lookup = limited(signal)
  try {
    // peers that have just connected are not on the DHT's table yet
    if ((await network.peersWith(dhtProtocol)).length > 0) await network.dht.ready(dhtReadyTimeoutMs, signal)
    for await (const provider of network.dht.providers(await modelKey(model), lookup)) {
      if (provider.peerId === network.peerId || providers.has(provider.peerId)) continue
      providers.set(provider.peerId, provider)
      await ask([provider])
      if (enough(others())) return others()
    }
  } catch (error) {
    // a look-up that breaks off leaves the providers that it has found
    if (signal?.aborted) throw error
  }

  await Promise.all([...providers.keys()].map(peerId => readRecord(network, peerId, model, limited(signal))))
  signal?.throwIfAborted()
  return others()
}

/** Takes a server's record from the DHT into the directory, where there is a valid one of this model. */
async function readRecord(network: Seeker, peerId: string, model: string, signal: AbortSignal): Promise<void> {
  const record = await network.dht.get(recordKey(peerId), signal).catch(() => null)
  if (record) await network.directory.addAll([record], { model, source: 'dht' })
}

function limited(signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(lookupTimeoutMs)
  return signal ? AbortSignal.any([signal, limit]) : limit
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map(item => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
