// Directory requests, both sides: answering them, asking for them, and the exchange with a random peer every half minute.
import { messageOf, SwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { MiB } from '../../common/units.ts'
import { protocols } from '../../proto/protocols.ts'
import {
  directoryTimeoutMs,
  maxDirectoryBytes,
  maxPushedPerHost,
  maxPushedRecords,
  maxQuotaSources,
  quotaWindowMs
} from '../constants.ts'
import { SourceQuota } from '../guards/source-quota.ts'
import type { Peer as AnyPeer } from '../streams/peer.ts'
import type { Directory } from './directory.ts'

/** servers that one exchange chooses from, beside connected peers */
const maxGossipPartners = 64

type Peer = Pick<AnyPeer, 'peerId' | 'request' | 'peersWith' | 'hostOf'> & { readonly directory: Directory }

/** As many of the records as fit into one answer. */
function fitting(records: readonly Uint8Array[]): Uint8Array[] {
  const taken: Uint8Array[] = []
  let bytes = 0
  for (const record of records) {
    bytes += record.length
    if (bytes > maxDirectoryBytes) break
    taken.push(record)
  }
  return taken
}

/** Answers directory requests with the known records, after storing those of the requester. */
export async function serveDirectory(
  network: Pick<AnyPeer, 'handle' | 'hostOf'> & { readonly directory: Directory }
): Promise<void> {
  const quota = new SourceQuota({ maxKeys: maxPushedPerHost, windowMs: quotaWindowMs, maxSources: maxQuotaSources })
  await network.handle(
    protocols.directory,
    async (stream, { peerId }) => {
      const request = await stream.receive()
      if (request?.body.kind !== 'directoryRequest') {
        throw new SwarmError('INVALID_ARGUMENT', `expected a directory request, got ${request?.body.kind}`)
      }
      const { model, announcements } = request.body
      const source = network.hostOf(peerId)
      // its own record comes first; records of other peers are counted before verification
      const [own, ...others] = announcements.slice(0, maxPushedRecords)
      const admitted = others.filter(record =>
        quota.admit(source, Buffer.from(record.subarray(-64)).toString('latin1'))
      )
      await network.directory.addAll(own ? [own, ...admitted] : [], { source })
      const records = fitting(network.directory.records(model))
      await stream.send({ body: { kind: 'directoryResponse', announcements: records }, tensors: {} })
    },
    { maxFrameBytes: MiB, maxStreamsPerPeer: 8 }
  )
}

/**
 * Asks one peer for its directory, sends our own announcement, and stores valid new records. Returns the peer ids of
 * the answer, in its order.
 */
export async function askDirectory(
  network: Peer,
  peer: string,
  model: string,
  options: { addresses?: readonly string[]; signal?: AbortSignal } = {}
): Promise<string[]> {
  const own = network.directory.recordOf(network.peerId)
  const answer = await network.request(
    peer,
    protocols.directory,
    { body: { kind: 'directoryRequest', model, announcements: own ? [own] : [] }, tensors: {} },
    { ...options, timeoutMs: directoryTimeoutMs, maxFrameBytes: MiB }
  )
  if (answer.body.kind !== 'directoryResponse') {
    throw new SwarmError('BAD_FRAME', `${peer} answered a directory request with ${answer.body.kind}`)
  }
  const { announcements } = answer.body
  await network.directory.addAll(announcements, { model, source: network.hostOf(peer) })
  return network.directory.ownersOf(announcements)
}

/** Exchanges directories with a random peer again and again. */
export class Gossip {
  readonly #network: Peer
  readonly #logger: Logger
  readonly #intervalMs: number
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(components: { network: Peer; logger: Logger }, init: { intervalMs: number }) {
    this.#network = components.network
    this.#logger = components.logger
    this.#intervalMs = init.intervalMs
  }

  start(): void {
    if (this.#timer || this.#stopping.signal.aborted) return
    // spread, so that servers started together do not all talk at once
    const delay = this.#intervalMs * (0.75 + Math.random() / 2)
    this.#timer = setTimeout(async () => {
      await this.exchange()
      this.#timer = undefined
      this.start()
    }, delay)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopping.abort(new SwarmError('ABORTED', 'this peer stops'))
    clearTimeout(this.#timer)
  }

  /** One exchange with a peer chosen at random. Never throws. */
  async exchange(): Promise<void> {
    const { directory, peerId } = this.#network
    // a server needs only records of its model; a peer without a model keeps them all
    const model = directory.get(peerId)?.model ?? ''
    let peer: string | undefined
    try {
      const addresses = new Map<string, readonly string[]>(
        (await this.#network.peersWith(protocols.directory)).map(connected => [connected, []])
      )
      // met peers first, so that a stranger's fake records do not displace them
      for (const announcement of directory.list(model).slice(0, maxGossipPartners)) {
        addresses.set(announcement.peerId, announcement.addresses)
      }
      addresses.delete(peerId)
      const peers = [...addresses.keys()]
      peer = peers[Math.floor(Math.random() * peers.length)]
      if (peer === undefined) return
      await askDirectory(this.#network, peer, model, { addresses: addresses.get(peer)!, signal: this.#stopping.signal })
    } catch (error) {
      this.#logger.debug({ peer, reason: messageOf(error) }, 'an exchange of directories failed')
    }
  }
}
