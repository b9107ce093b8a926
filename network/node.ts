// A peer of the swarm over libp2p: starts, joins, opens streams to other peers and serves theirs.
import { setMaxListeners } from 'node:events'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { SwarmError, toSwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import { failureMessage } from '../proto/failure.ts'
import type { Message } from '../proto/frame.ts'
import { maxFrameBytes } from '../proto/limits.ts'
import { dialError, dialReason, listenError, parseAddress, parsePeerId, peerIdOf } from './addresses.ts'
import { ByteChannel } from './byte-channel.ts'
import {
  closeTimeoutMs,
  dialTimeoutMs,
  joinTimeoutMs,
  maxStreamsPerPeer,
  pingTimeoutMs,
  requestTimeoutMs
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import { generateIdentity, loadIdentity } from './identity.ts'
import { createNode, type SwarmLibp2p } from './libp2p.ts'
import { FramedStream, type MessageStream } from './message-stream.ts'
import { optimistic, preface, readAnswer } from './negotiation.ts'
import type { Handler, HandlerOptions, Network, NetworkInit, OpenOptions, RequestOptions } from './network.ts'
import { measureRoundTrip, pingProtocol } from './ping.ts'

export { loadIdentity, type PrivateKey } from './identity.ts'
export type { MessageStream } from './message-stream.ts'
export type * from './network.ts'

interface Components {
  readonly libp2p: SwarmLibp2p
  readonly logger: Logger
}

class Libp2pNetwork implements Network {
  readonly peerId: string

  readonly #libp2p: SwarmLibp2p
  readonly #logger: Logger
  readonly #init: NetworkInit
  readonly #stopping = new AbortController()
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: Components, init: NetworkInit) {
    this.#libp2p = components.libp2p
    this.#logger = components.logger
    this.#init = init
    this.peerId = components.libp2p.peerId.toString()
    setMaxListeners(0, this.#stopping.signal)
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
    const active = new Map<string, number>()
    const serve = async (stream: Stream, connection: Connection): Promise<void> => {
      const peer = connection.remotePeer.toString()
      const count = (active.get(peer) ?? 0) + 1
      active.set(peer, count)
      const checked: Handler = async (messages, context) => {
        if (count > limit) throw new SwarmError('BUSY', `more than ${limit} streams of ${protocol} from one peer`)
        await handler(messages, context)
      }
      await this.#serve(stream, peer, protocol, checked, options.maxFrameBytes)
      const left = active.get(peer)! - 1
      if (left > 0) active.set(peer, left)
      else active.delete(peer)
    }
    // past twice our limit, streams are reset unread
    await this.#libp2p.handle(protocol, serve, { maxInboundStreams: 2 * limit, maxOutboundStreams: Infinity })
  }

  open(peer: string, protocol: string, options: OpenOptions = {}): Promise<MessageStream> {
    return this.#openFramed(peer, protocol, options)
  }

  async request(peer: string, protocol: string, message: Message, options: RequestOptions = {}): Promise<Message> {
    using deadline = startDeadline(options.timeoutMs ?? requestTimeoutMs, `${protocol} at ${peer}`, options.signal)
    const { signal } = deadline
    const stream = await this.#openFramed(peer, protocol, { ...options, signal })
    try {
      const sent = stream.send(message, { signal, ...(options.codec && { codec: options.codec }) })
      // whatever breaks the sending breaks the stream, so that the wait for the answer ends too; unless the answer,
      // a Failure perhaps, is there already
      sent.then(() => stream.close()).catch(error => stream.abort(toSwarmError(error)))
      const answer = await stream.receive({ signal })
      if (answer === null) throw new SwarmError('UNREACHABLE', `${peer} ended the stream without an answer`)
      stream.finish().catch(error => this.#logger.debug({ peer, error }, 'stream did not end cleanly'))
      return answer
    } catch (error) {
      const failure = toSwarmError(error)
      stream.abort(failure)
      throw failure
    }
  }

  async ping(peer: string, options: OpenOptions = {}): Promise<number> {
    using deadline = startDeadline(pingTimeoutMs, `ping of ${peer}`, options.signal)
    const channel = await this.#openChannel(peer, pingProtocol, { ...options, signal: deadline.signal })
    try {
      await channel.write(preface(pingProtocol), deadline.signal)
      await readAnswer(channel, peer, pingProtocol)
      return await measureRoundTrip(channel, deadline.signal)
    } catch (error) {
      const failure = toSwarmError(error)
      channel.abort(failure)
      throw failure
    }
  }

  async #start(): Promise<void> {
    const listen = this.#init.listen ?? defaultListen
    try {
      await this.#libp2p.start()
    } catch (error) {
      throw listenError(error, listen)
    }
    try {
      await this.#join()
    } catch (error) {
      await this.#libp2p.stop()
      throw error
    }
  }

  /** Dials every address to join; the first peer that answers is enough, the others are dialed on in the background. */
  async #join(): Promise<void> {
    const addresses = (this.#init.join ?? []).map(text => parseAddress(text, 'join address'))
    const others = addresses.filter(address => peerIdOf(address) !== this.peerId)
    if (others.length === 0) return
    using deadline = startDeadline(joinTimeoutMs, 'joining', this.#stopping.signal)
    const reasons: string[] = []
    const dials = others.map(async address => {
      try {
        const { remotePeer } = await this.#libp2p.dial(address, { signal: deadline.signal })
        await this.#identified(remotePeer, deadline.signal)
      } catch (error) {
        reasons.push(`${address}: ${dialReason(deadline.signal.aborted ? deadline.signal.reason : error)}`)
        this.#logger.warn({ address: address.toString(), error }, 'an address to join does not answer')
        throw error
      }
    })
    try {
      await Promise.any(dials)
    } catch (cause) {
      if (this.#stopping.signal.aborted) throw toSwarmError(this.#stopping.signal.reason)
      const list = reasons.map(reason => `\n  ${reason}`).join('')
      throw new SwarmError('UNREACHABLE', `no peer to join answers:${list}\nis a peer running there?`, { cause })
    }
  }

  /** Waits until libp2p knows which protocols the peer speaks. */
  async #identified(peer: PeerId, signal: AbortSignal): Promise<void> {
    const identified = Promise.withResolvers<void>()
    const listener = (event: CustomEvent<{ peerId: PeerId }>) => {
      if (event.detail.peerId.equals(peer)) identified.resolve()
    }
    const aborted = () => identified.reject(signal.reason)
    this.#libp2p.addEventListener('peer:identify', listener)
    signal.addEventListener('abort', aborted, { once: true })
    try {
      const known = await this.#libp2p.peerStore.has(peer)
      if (known && (await this.#libp2p.peerStore.get(peer)).protocols.length > 0) return
      await identified.promise
    } finally {
      this.#libp2p.removeEventListener('peer:identify', listener)
      signal.removeEventListener('abort', aborted)
    }
  }

  async #stop(): Promise<void> {
    const error = new SwarmError('ABORTED', 'this peer stops')
    this.#stopping.abort(error)
    // half a start must come to its end before libp2p stops; its error belongs to whoever called start
    const failed = await this.#started?.then(
      () => false,
      () => true
    )
    if (failed) this.#logger.debug({}, 'stops after a failed start')
    for (const connection of this.#libp2p.getConnections()) {
      for (const stream of [...connection.streams]) stream.abort(error)
    }
    await this.#libp2p.stop()
  }

  async #serve(stream: Stream, peerId: string, protocol: string, handler: Handler, maxBytes?: number): Promise<void> {
    // listens to the stream before anything is awaited
    const channel = new ByteChannel(stream, peerId)
    const messages = new FramedStream(channel, {
      peerId,
      maxFrameBytes: maxBytes ?? maxFrameBytes,
      direction: 'inbound'
    })
    try {
      await handler(messages, { peerId, signal: messages.signal })
      await messages.finish()
    } catch (error) {
      const failure = toSwarmError(error)
      const level = failure.code === 'INTERNAL' ? 'error' : 'debug'
      this.#logger[level]({ peer: peerId, protocol, error }, 'a request failed')
      await this.#answerFailure(messages, failure)
    }
  }

  /** Tells the caller what failed where the stream still can, then ends it. */
  async #answerFailure(stream: FramedStream, failure: SwarmError): Promise<void> {
    try {
      if (!stream.signal.aborted) {
        await stream.send(failureMessage(failure), { signal: AbortSignal.timeout(closeTimeoutMs) })
        await stream.finish()
      }
    } catch {
      stream.abort(failure)
    }
  }

  async #openFramed(peerId: string, protocol: string, options: OpenOptions): Promise<FramedStream> {
    return new FramedStream(await this.#openChannel(peerId, protocol, options), {
      peerId,
      maxFrameBytes: options.maxFrameBytes ?? maxFrameBytes,
      direction: 'outbound',
      preface: preface(protocol),
      negotiate: channel => readAnswer(channel, peerId, protocol)
    })
  }

  async #openChannel(peer: string, protocol: string, options: OpenOptions): Promise<ByteChannel> {
    const connection = await this.#connect(parsePeerId(peer), options)
    const settings = {
      [optimistic]: true,
      maxOutboundStreams: Infinity,
      ...(options.signal && { signal: options.signal })
    }
    let stream: Stream
    try {
      stream = await connection.newStream(protocol, settings)
    } catch (error) {
      throw dialError(error, peer, [connection.remoteAddr.toString()], options.signal)
    }
    return new ByteChannel(stream, peer)
  }

  /** The open connection to a peer, or a new one. */
  async #connect(peer: PeerId, options: OpenOptions): Promise<Connection> {
    const addresses = (options.addresses ?? []).map(text => parseAddress(text, `address of ${peer}`))
    options.signal?.throwIfAborted()
    const open = this.#libp2p.getConnections(peer).find(connection => connection.status === 'open')
    if (open) return open
    if (peer.toString() === this.peerId) throw new SwarmError('INVALID_ARGUMENT', 'a peer does not dial itself')
    try {
      const multiaddrs = addresses.filter(address => [undefined, peer.toString()].includes(peerIdOf(address)))
      if (multiaddrs.length > 0) await this.#libp2p.peerStore.merge(peer, { multiaddrs })
      return await this.#libp2p.dial(peer, { signal: options.signal ?? AbortSignal.timeout(dialTimeoutMs) })
    } catch (error) {
      throw dialError(error, peer.toString(), options.addresses ?? [], options.signal)
    }
  }
}

const defaultListen = ['/ip4/0.0.0.0/tcp/0']

/**
 * A peer, not started: `listen: []` makes a client. Throws INVALID_ARGUMENT on addresses that are none and on an
 * identity file that holds no key.
 */
export async function createNetwork(init: NetworkInit = {}): Promise<Network> {
  const listen = init.listen ?? defaultListen
  for (const address of listen) parseAddress(address, 'listen address')
  for (const address of init.join ?? []) parseAddress(address, 'join address')
  for (const address of init.announce ?? []) parseAddress(address, 'announce address')
  const privateKey =
    init.privateKey ??
    (init.identityPath === undefined ? await generateIdentity() : await loadIdentity(init.identityPath))
  const libp2p = await createNode({ privateKey, listen, announce: init.announce ?? [], validators: {}, selectors: {} })
  return new Libp2pNetwork({ libp2p, logger: init.logger ?? silent }, init)
}
