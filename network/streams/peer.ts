// What a peer of the swarm can do for the rest of the network: open streams and serve them. Knows neither libp2p nor announcements.
import type { CodecChoice, FrameBody, Message, TensorLayout } from '../../proto/frame.ts'
import type { MessageStream } from './message-stream.ts'
import type { Silence } from './silence.ts'

export interface HandlerContext {
  readonly peerId: string
  /** multiaddr of the caller's connection */
  readonly remoteAddress: string
  /** aborts when the caller resets its stream or vanishes, and when this peer stops */
  readonly signal: AbortSignal
}

/** Serves one stream. What it throws is sent to the caller as a Failure; when it returns the stream is ended. */
export type Handler = (stream: MessageStream, context: HandlerContext) => Promise<void>

export interface HandlerOptions {
  /** most bytes of a frame that is read */
  readonly maxFrameBytes?: number
  /** streams that one peer may have open at once; more are answered BUSY */
  readonly maxStreamsPerPeer?: number
  /** Looks at the header of each frame before its payload is read. What it throws is the answer. */
  readonly admit?: (body: FrameBody, layout: readonly TensorLayout[], peerId: string) => void
}

export interface OpenOptions {
  readonly signal?: AbortSignal
  /** multiaddrs of the peer, from its announcement; default: its known ones */
  readonly addresses?: readonly string[]
  /** most bytes of a frame that is read */
  readonly maxFrameBytes?: number
}

export interface RequestOptions extends OpenOptions {
  /** default three minutes */
  readonly timeoutMs?: number
  readonly codec?: CodecChoice
  /** a peer that is silent for longer is not waited for; default: it is */
  readonly silence?: Silence
}

export interface Peer {
  readonly peerId: string
  /** multiaddrs at which this peer is reachable, each with /p2p/<peer id> */
  readonly addresses: string[]
  handle(protocol: string, handler: Handler, options?: HandlerOptions): Promise<void>
  /** Throws INVALID_ARGUMENT on a bad peer id or address, UNREACHABLE when the peer does not answer. */
  open(peer: string, protocol: string, options?: OpenOptions): Promise<MessageStream>
  /** A request and its answer. Throws the peer's Failure, UNREACHABLE, UNSUPPORTED, DEADLINE, ABORTED. */
  request(peer: string, protocol: string, message: Message, options?: RequestOptions): Promise<Message>
  /** Round trip to the peer in milliseconds. */
  ping(peer: string, options?: OpenOptions): Promise<number>
  /** The host that a peer is connected from, `ip4/192.0.2.1`; its peer id if unknown. */
  hostOf(peer: string): string
  /** Connected peers that speak a protocol. */
  peersWith(protocol: string): Promise<string[]>
  /** Calls back with each peer whose protocols become known; the function returned ends that. */
  onPeer(listener: (peer: string) => void): () => void
  /** Calls back with each peer whose last connection has closed; the function returned ends that. */
  onPeerGone(listener: (peer: string) => void): () => void
  /** Calls back when the addresses of this peer have changed, as by a relay or a router; the function returned ends that. */
  onAddresses(listener: () => void): () => void
  /** Joins again if no peer is connected any more. Never throws; returns false if no peer answers. */
  rejoin(): Promise<boolean>
}
