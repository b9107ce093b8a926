// A peer of the swarm over libp2p: starts, joins, opens streams to other peers and serves theirs.

import { setMaxListeners } from 'node:events'
import type { PeerId } from '@libp2p/interface'
import { messageOf, SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { withResource } from '../../common/resource.ts'
import { version } from '../../common/version.ts'
import type { Message } from '../../proto/frame.ts'
import { maxFrameBytes, requestTimeoutMs } from '../../proto/limits.ts'
import { describeVersions, dhtProtocol, otherVersions, protocolsToAnnounce } from '../../proto/protocols.ts'
import { connectedHost, listenError, parseAddress, parsePeerId } from '../addresses.ts'
import {
  announcementExpiryMs,
  announceTimeoutMs,
  dhtReadyTimeoutMs,
  gossipIntervalMs,
  maxBytesOfPeers,
  maxStreamsPerPeer,
  pingTimeoutMs
} from '../constants.ts'
import { type AnnouncementFields, maxAddresses, seal } from '../discovery/announcement.ts'
import { Dht } from '../discovery/dht.ts'
import type { Directory } from '../discovery/directory.ts'
import { Gossip, serveDirectory } from '../discovery/gossip.ts'
import { LocalPeers } from '../discovery/local-peers.ts'
import { serveProbe } from '../discovery/probe.ts'
import { modelKey, recordKey } from '../discovery/records.ts'
import type {
  AnnounceOptions,
  Handler,
  HandlerOptions,
  Network,
  NetworkInit,
  OpenOptions,
  RequestOptions
} from '../network.ts'
import type { PrivateKey } from '../private/identity.ts'
import { lockIdentity } from '../private/identity-lock.ts'
import { ByteBudget, peerLimitOf } from '../streams/byte-budget.ts'
import { startDeadline } from '../streams/deadline.ts'
import { exchange } from '../streams/exchange.ts'
import { FramedStream, type MessageStream } from '../streams/message-stream.ts'
import { preface, readAnswer } from '../streams/negotiation.ts'
import { limitedPerPeer } from '../streams/serve.ts'
import { unlessSilent } from '../streams/silence.ts'
import { openChannel } from './dial.ts'
import { join } from './join.ts'
import type { SwarmLibp2p } from './node.ts'
import { measureRoundTrip, pingProtocol } from './ping.ts'

export interface Components {
  readonly libp2p: SwarmLibp2p
  readonly privateKey: PrivateKey
  readonly directory: Directory
  readonly logger: Logger
}

/** other releases that are logged: a stranger must not fill the log with them */
const maxReleases = 16

/** `0.1` of `0.1.2` */
const minorOf = (release: string): string => release.split('.').slice(0, 2).join('.')

/** multiaddrs that a peer listens on where nothing else is said */
export const defaultListen = ['/ip4/0.0.0.0/tcp/0']

export class Libp2pNetwork implements Network {
  /** what peers have this one hold */
  readonly budget: ByteBudget
  readonly peerId: string
  readonly directory: Directory
  readonly dht: Dht
  readonly traffic = { sent: 0, received: 0 }

  readonly #libp2p: SwarmLibp2p
  readonly #logger: Logger
  readonly #init: NetworkInit
  readonly #privateKey: PrivateKey
  readonly #gossip: Gossip
  readonly #stopping = new AbortController()
  readonly #localPeers: LocalPeers | undefined
  #unlock: (() => Promise<void>) | undefined
  /** other releases that peers have said they run */
  readonly #releases = new Set<string>()
  #sequence = 0
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: Components, init: NetworkInit) {
    this.#libp2p = components.libp2p
    this.#logger = components.logger
    this.#init = init
    this.#privateKey = components.privateKey
    this.peerId = components.libp2p.peerId.toString()
    this.directory = components.directory
    const total = init.peerBytes ?? maxBytesOfPeers
    const isKnown = (peer: string) => init.allow?.has(peer) ?? this.directory.get(peer) !== undefined
    this.budget = new ByteBudget({ total, perPeer: peerLimitOf(total), isKnown })
    this.dht = new Dht(components.libp2p.services.dht, components.logger)
    this.#gossip = new Gossip(
      { network: this, logger: components.logger },
      { intervalMs: init.gossipIntervalMs ?? gossipIntervalMs }
    )
    const { multicastTag: tag, answerTag, onFound } = init
    const answers = !init.isGuest && (init.listen ?? defaultListen).length > 0
    this.#localPeers = tag === undefined ? undefined : new LocalPeers(components, { tag, answerTag, answers, onFound })
    setMaxListeners(0, this.#stopping.signal)
    this.onPeer(peer => this.directory.meet(peer, this.hostOf(peer)))
    this.onPeer(peer => void this.#noteRelease(peer))
  }

  get swarmName(): string | undefined {
    return this.#init.swarmName
  }

  get addresses(): string[] {
    const suffix = `/p2p/${this.peerId}`
    return this.#libp2p.getMultiaddrs().map(address => {
      const text = address.toString()
      return text.endsWith(suffix) ? text : text + suffix
    })
  }

  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async handle(protocol: string, handler: Handler, options: HandlerOptions = {}): Promise<void> {
    const limit = options.maxStreamsPerPeer ?? maxStreamsPerPeer
    const { admit } = options
    const serve = limitedPerPeer(handler, limit, {
      protocol,
      maxFrameBytes: options.maxFrameBytes ?? maxFrameBytes,
      ...(admit && { admit }),
      budget: this.budget,
      logger: this.#logger
    })
    // past twice our limit, streams are reset unread
    await this.#libp2p.handle(protocol, serve, { maxInboundStreams: 2 * limit, maxOutboundStreams: Infinity })
  }

  open(peer: string, protocol: string, options: OpenOptions = {}): Promise<MessageStream> {
    return this.#openFramed(peer, protocol, options)
  }

  async request(peer: string, protocol: string, message: Message, options: RequestOptions = {}): Promise<Message> {
    return await withResource(
      startDeadline(options.timeoutMs ?? requestTimeoutMs, `${protocol} at ${peer}`, options.signal),
      async deadline => {
        const started = performance.now()
        let activeAt = () => started
        const ask = async (signal: AbortSignal): Promise<Message> => {
          const stream = await this.#openFramed(peer, protocol, { ...options, signal })
          activeAt = () => stream.activeAt
          const codec = options.codec && { codec: options.codec }
          return await exchange({ stream, logger: this.#logger }, peer, message, { signal, ...codec })
        }
        const { silence, addresses } = options
        if (silence === undefined) return await ask(deadline.signal)
        const watched = {
          activeAt: () => activeAt(),
          ping: (signal: AbortSignal) => this.ping(peer, { addresses, signal }),
          lost: () => new SwarmError('UNREACHABLE', `${peer} is silent and does not answer a ping`)
        }
        return await unlessSilent(watched, silence, ask, deadline.signal)
      }
    )
  }

  async ping(peer: string, options: OpenOptions = {}): Promise<number> {
    return await withResource(startDeadline(pingTimeoutMs, `ping of ${peer}`, options.signal), async deadline => {
      const channel = await openChannel(this.#libp2p, peer, pingProtocol, { ...options, signal: deadline.signal })
      try {
        await channel.write(preface(pingProtocol), deadline.signal)
        await readAnswer(channel, peer, pingProtocol, { signal: deadline.signal })
        return await measureRoundTrip(channel, deadline.signal)
      } catch (error) {
        const failure = toSwarmError(error)
        channel.abort(failure)
        throw failure
      }
    })
  }

  async announce(fields: AnnouncementFields, options: AnnounceOptions = {}): Promise<number> {
    const now = Date.now()
    // time, so that a restart with the same identity goes on counting; larger than the last even if the clock is not
    this.#sequence = Math.max(this.#sequence + 1, now)
    const protocols = protocolsToAnnounce(this.#libp2p.getProtocols())
    const record = await seal(
      {
        ...fields,
        addresses: fields.addresses ?? this.addresses.slice(0, maxAddresses),
        version,
        ...(protocols.length > 0 && { protocols }),
        peerId: this.peerId,
        sequence: this.#sequence,
        expiresAt: now + (options.expiryMs ?? announcementExpiryMs)
      },
      this.#privateKey
    )
    this.directory.keep(record, await this.directory.check(record))
    return await withResource(startDeadline(announceTimeoutMs, 'announcing', options.signal), async deadline => {
      // peers that have just connected are not on the DHT's table yet
      if ((await this.peersWith(dhtProtocol)).length > 0) await this.dht.ready(dhtReadyTimeoutMs, deadline.signal)
      const [stored] = await Promise.all([
        this.dht.put(recordKey(this.peerId), record, deadline.signal),
        fields.state === 'offline' ? 0 : this.dht.provide(await modelKey(fields.model), deadline.signal)
      ])
      return stored
    })
  }

  hostOf(peer: string): string {
    return connectedHost(this.#libp2p, parsePeerId(peer))
  }

  async peersWith(protocol: string): Promise<string[]> {
    const speaks = await Promise.all(
      this.#libp2p.getPeers().map(async peer => {
        // one that goes while we look is not known any more
        const known = await this.#libp2p.peerStore.get(peer).catch(() => undefined)
        return known?.protocols.includes(protocol) ? [peer.toString()] : []
      })
    )
    return speaks.flat()
  }

  onPeer(listener: (peer: string) => void): () => void {
    const identified = (event: CustomEvent<{ peerId: PeerId }>) => listener(event.detail.peerId.toString())
    this.#libp2p.addEventListener('peer:identify', identified)
    return () => this.#libp2p.removeEventListener('peer:identify', identified)
  }

  onPeerGone(listener: (peer: string) => void): () => void {
    const disconnected = (event: CustomEvent<PeerId>) => listener(event.detail.toString())
    this.#libp2p.addEventListener('peer:disconnect', disconnected)
    return () => this.#libp2p.removeEventListener('peer:disconnect', disconnected)
  }

  onAddresses(listener: () => void): () => void {
    let known = this.addresses.join()
    const updated = () => {
      const addresses = this.addresses.join()
      if (addresses !== known) listener()
      known = addresses
    }
    this.#libp2p.addEventListener('self:peer:update', updated)
    return () => this.#libp2p.removeEventListener('self:peer:update', updated)
  }

  async rejoin(): Promise<boolean> {
    if (this.#libp2p.getConnections().length > 0 || this.#stopping.signal.aborted) return true
    try {
      await this.#join(false)
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'no peer is connected and none to join answers')
    }
    return this.#libp2p.getConnections().length > 0
  }

  async #start(): Promise<void> {
    const listen = this.#init.listen ?? defaultListen
    const serves = listen.length > 0
    const { identityPath } = this.#init
    if (identityPath !== undefined && this.#init.privateKey === undefined) {
      this.#unlock = await lockIdentity(identityPath)
    }
    try {
      if (serves && !this.#init.isGuest) await serveDirectory(this)
      if (serves) await serveProbe(this, this.#libp2p)
      await this.#listen(listen)
      await this.#localPeers?.start()
      await this.#join(this.#init.patient ?? serves)
    } catch (error) {
      await this.#leave()
      throw error
    }
    if (serves && !this.#init.isGuest) this.#gossip.start()
  }

  async #listen(listen: readonly string[]): Promise<void> {
    try {
      await this.#libp2p.start()
    } catch (error) {
      throw listenError(error, listen)
    }
  }

  async #join(patient: boolean): Promise<void> {
    const { join: addresses = [], secret, swarmName = '', onDialed } = this.#init
    const serves = (this.#init.listen ?? defaultListen).length > 0
    const components = { libp2p: this.#libp2p, localPeers: this.#localPeers, logger: this.#logger }
    await join(
      components,
      addresses.map(text => parseAddress(text, 'join address')),
      {
        ...(secret && { swarm: swarmName }),
        ...(onDialed && { onDialed }),
        patient,
        alone: this.#init.patient ?? serves,
        signal: this.#stopping.signal
      }
    )
  }

  async #leave(): Promise<void> {
    await this.#localPeers?.stop()
    await this.#libp2p.stop()
    await this.#unlock?.()
  }

  async #stop(): Promise<void> {
    const error = new SwarmError('ABORTED', 'this peer stops')
    this.#stopping.abort(error)
    this.#gossip.stop()
    // a start in progress must end before libp2p stops; the caller of start gets its error
    const failed = await this.#started?.then(
      () => false,
      () => true
    )
    if (failed) this.#logger.debug({}, 'stops after a failed start')
    // two peers that close one connection politely at once wait half a second for each other
    for (const connection of this.#libp2p.getConnections()) connection.abort(error)
    await this.#leave()
  }

  /** Release of swarmtune that a peer runs, and ids of the protocols that it serves, as it has said when it connected. */
  async #identified(peer: string): Promise<{ version: string; served: readonly string[] }> {
    const known = await this.#libp2p.peerStore.get(parsePeerId(peer)).catch(() => undefined)
    const agent = new TextDecoder().decode(known?.metadata.get('AgentVersion'))
    return { version: /^swarmtune\/([\w.+-]{1,32})/.exec(agent)?.[1] ?? '', served: known?.protocols ?? [] }
  }

  /** What to say of a peer that speaks another version of a protocol; undefined where it speaks none, or is not known. */
  async #versionsOf(peer: string, protocol: string): Promise<string | undefined> {
    const { version: theirVersion, served } = await this.#identified(peer)
    const theirs = otherVersions(protocol, served)
    if (theirs.length === 0) return undefined
    return describeVersions({ theirs, version: theirVersion }, { ids: [protocol], version })
  }

  /**
   * Logs the first peer of each other release: its requests may fail, and only its own log says so. A warning on a server, where the
   * releases differ by more than mended faults.
   */
  async #noteRelease(peer: string): Promise<void> {
    const { version: theirs, served } = await this.#identified(peer)
    if (theirs === '' || theirs === version || this.#releases.has(theirs) || this.#releases.size >= maxReleases) return
    this.#releases.add(theirs)
    const differing = this.#libp2p.getProtocols().flatMap(id => otherVersions(id, served))
    const protocols = differing.length > 0 && { protocols: differing }
    const serves = (this.#init.listen ?? defaultListen).length > 0
    const level = serves && minorOf(theirs) !== minorOf(version) ? 'warn' : 'info'
    const message = `a peer runs swarmtune ${theirs}, this is ${version}: requests between the two may fail`
    this.#logger[level]({ peer, theirs, ours: version, ...protocols }, message)
  }

  async #openFramed(peerId: string, protocol: string, options: OpenOptions): Promise<FramedStream> {
    return new FramedStream(await openChannel(this.#libp2p, peerId, protocol, options), {
      peerId,
      maxFrameBytes: options.maxFrameBytes ?? maxFrameBytes,
      mostSent: () => this.directory.get(peerId)?.requestBytes ?? Infinity,
      direction: 'outbound',
      count: this.traffic,
      preface: preface(protocol),
      negotiate: channel =>
        readAnswer(channel, peerId, protocol, { versions: () => this.#versionsOf(peerId, protocol) })
    })
  }
}
