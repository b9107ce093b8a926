// Finding the servers of a model: cheap questions first, the DHT's records last.

import { pause, settled } from '../../common/async.ts'
import { dhtProtocol, protocols } from '../../proto/protocols.ts'
import { answerPatienceMs, dhtReadyTimeoutMs, lookupTimeoutMs } from '../constants.ts'
import type { Peer } from '../streams/peer.ts'
import type { Announcement } from './announcement.ts'
import type { Dht, DhtPeer } from './dht.ts'
import type { Directory } from './directory.ts'
import { askDirectory } from './gossip.ts'
import { proven } from './proof.ts'
import { modelKey, recordKey } from './records.ts'

export interface FindOptions {
  readonly signal?: AbortSignal
  /** whether the result suffices; default: anything does. More expensive look-ups follow until it returns true */
  readonly enough?: (servers: readonly Announcement[]) => boolean
  /** false: include announced servers that do not answer; default: exclude them if there are many */
  readonly verify?: boolean
}

/**
 * peers asked for their directory at once, and servers of the model asked in a second round, out of this many most
 * likely ones
 */
const firstRound = 3
const secondRound = 2
const likeliest = 16
/** maximum providers to ask for their directory at once */
const providersAtOnce = 16

export type Seeker = Pick<Peer, 'peerId' | 'request' | 'peersWith' | 'hostOf'> &
  Partial<Pick<Peer, 'ping'>> & { readonly directory: Directory; readonly dht: Dht }

/**
 * The servers of a model with their newest announcement, verified and not expired; empty if none is found. Asks
 * connected peers for their directory, then servers of the model for theirs. If that does not suffice, looks up the
 * model's providers on the DHT and asks those, and finally reads the providers' records from the DHT. If too many are
 * announced to trust them all, only those that answer a ping count. Throws when `signal` aborts, and INTERNAL if the
 * DHT itself fails.
 */
export async function findServers(network: Seeker, model: string, options: FindOptions = {}): Promise<Announcement[]> {
  const { signal } = options
  const enough = options.enough ?? (servers => servers.length > 0)
  /** the best position of a server in any answer: honest directories list honest servers first */
  const places = new Map<string, number>()
  const others = () => {
    const placeOf = ({ peerId }: Announcement) => places.get(peerId) ?? Number.MAX_SAFE_INTEGER
    const known = network.directory.list(model).filter(server => server.peerId !== network.peerId)
    return known.sort((a, b) => placeOf(a) - placeOf(b))
  }
  /** whether a model with announced servers has missing blocks */
  const complete = (servers: readonly Announcement[]) => enough(servers) && isWhole(servers)
  const usable = async (): Promise<Announcement[]> => {
    const candidates = others()
    if (!network.ping || options.verify === false) return candidates
    const found = await proven(network as Pick<Peer, 'ping'>, candidates, { enough: complete, signal })
    signal?.throwIfAborted()
    return [...found]
  }
  const asked = new Set<string>([network.peerId])
  const someAnswered = Promise.withResolvers<void>()
  const ask = async (peers: readonly { peerId: string; addresses: readonly string[] }[]) => {
    const fresh = peers.filter(peer => !asked.has(peer.peerId))
    for (const peer of fresh) asked.add(peer.peerId)
    const context = signal ? { signal } : {}
    // one silent peer of several does not matter
    const asking = Promise.allSettled(
      fresh.map(async ({ peerId, addresses }) => {
        const told = await askDirectory(network, peerId, model, { addresses, ...context })
        for (const [place, server] of told.entries()) places.set(server, Math.min(place, places.get(server) ?? place))
        someAnswered.resolve()
      })
    )
    // with a shorter wait once others have answered
    await Promise.race([asking, someAnswered.promise.then(() => pause(answerPatienceMs, signal))])
    signal?.throwIfAborted()
  }

  const connected = shuffle(await network.peersWith(protocols.directory)).slice(0, firstRound)
  await ask(connected.map(peerId => ({ peerId, addresses: [] })))
  await ask(shuffle((await usable()).slice(0, likeliest)).slice(0, secondRound))
  const nearby = await usable()
  if (enough(nearby)) return nearby

  const providers = new Map<string, DhtPeer>()
  const lookup = limited(signal)
  const asking = new Set<Promise<void>>()
  let found = false
  try {
    // peers that have just connected are not on the DHT's table yet
    if ((await network.peersWith(dhtProtocol)).length > 0) await network.dht.ready(dhtReadyTimeoutMs, signal)
    for await (const provider of network.dht.providers(await modelKey(model), lookup)) {
      if (provider.peerId === network.peerId || providers.has(provider.peerId)) continue
      providers.set(provider.peerId, provider)
      const asks = ask([provider]).finally(() => asking.delete(asks))
      // the abort reason is thrown below
      void settled(asks)
      asking.add(asks)
      // waits for the first, which mostly knows the others; for later ones only if there are many
      if (providers.size === 1 || asking.size >= providersAtOnce) await Promise.race(asking)
      found = enough(others()) && enough(await usable())
      if (found) break
    }
  } catch (error) {
    // a look-up that breaks off leaves the providers that it has found
    if (signal?.aborted) throw error
  }
  if (!found) {
    await Promise.allSettled(asking)
    found = enough(others())
  }
  if (!found) {
    await Promise.all([...providers.keys()].map(peerId => readRecord(network, peerId, model, limited(signal))))
  }
  signal?.throwIfAborted()
  return await usable()
}

/** Whether the servers host all blocks of their model; of several models: of one. */
function isWhole(servers: readonly Announcement[]): boolean {
  return [...Map.groupBy(servers, ({ model }) => model).values()].some(ofModel => {
    const ranges = ofModel.toSorted((a, b) => a.firstBlock - b.firstBlock)
    let end = 0
    for (const { firstBlock, endBlock } of ranges) if (firstBlock <= end) end = Math.max(end, endBlock)
    return end >= ofModel[0]!.totalBlocks
  })
}

/** Adds a server's record from the DHT to the directory, if there is a valid one of this model. */
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
