// What the rest of the project sees of the network: no libp2p here.
import type { Logger } from '../common/logger.ts'
import type { OptionKeys } from '../common/options.ts'
import type { CodecChoice, FrameBody, Message, TensorLayout } from '../proto/frame.ts'
import type { DialFailure } from './dial-failure.ts'
import type { AnnouncementFields } from './discovery/announcement.ts'
import type { Dht } from './discovery/dht.ts'
import type { Directory } from './discovery/directory.ts'
import type { AllowList } from './private/allow-list.ts'
import type { PrivateKey } from './private/identity.ts'
import type { ByteCount, MessageStream } from './streams/message-stream.ts'
import type { Silence } from './streams/silence.ts'

export interface NetworkInit {
  /** multiaddrs to listen on; default all interfaces on a free TCP port; empty: a client, which only dials */
  readonly listen?: readonly string[]
  /** multiaddrs of peers of the swarm; one that answers is enough */
  readonly join?: readonly string[]
  /** multiaddrs to tell others instead of those listened on, where they are not reachable as they are */
  readonly announce?: readonly string[]
  readonly privateKey?: PrivateKey
  /** file of the private key, made where there is none; without it and `privateKey` the identity is new each time */
  readonly identityPath?: string
  /** of a private swarm, 32 bytes: whoever has another or none gets no connection */
  readonly secret?: Uint8Array
  /** name of the private swarm, for messages */
  readonly swarmName?: string
  /** the peers that get a connection, and those of them whose announcements are believed; default: all */
  readonly allow?: AllowList
  /** what peers on the LAN look for each other by, see `membership`; default: by nothing */
  readonly multicastTag?: string
  /** try the addresses of `join` again and again until one answers; default: peers that listen do, clients fail */
  readonly patient?: boolean
  /** hears what became of each address of `join` */
  readonly onDialed?: (result: JoinResult) => void
  /** hears of each peer that was found on the LAN and has answered */
  readonly onFound?: (peer: FoundPeer) => void
  /** forward the traffic of peers that cannot be reached, without a limit of data */
  readonly relay?: boolean
  /** this peer may be behind a router: ask it for a port, ask peers whether it worked, listen through relays */
  readonly nat?: boolean
  /** bytes that peers may have this one hold at once, of frames that come and answers that wait to leave; default 4 GiB */
  readonly peerBytes?: number
  /** most connections at once; default 1024. Those of strangers, and of one address, make room for others */
  readonly maxConnections?: number
  /** ways to dial; default both */
  readonly transports?: readonly ('tcp' | 'ws')[]
  /** time between exchanges of directories with another server, default half a minute */
  readonly gossipIntervalMs?: number
  /** time between two pings of a connection, default 5 s */
  readonly pingIntervalMs?: number
  readonly logger?: Logger
}

/** A peer that was found on the LAN and not named. */
export interface FoundPeer {
  readonly peerId: string
  /** multiaddr that it answered at */
  readonly address: string
}

/** What became of one address to join. */
export interface JoinResult {
  readonly address: string
  /** why no peer of the swarm answers there; undefined: one does */
  readonly failure?: DialFailure
}

/** For checkOptions. */
export const networkKeys: OptionKeys<NetworkInit> = {
  listen: true,
  join: true,
  announce: true,
  privateKey: true,
  identityPath: true,
  secret: true,
  swarmName: true,
  allow: true,
  multicastTag: true,
  relay: true,
  nat: true,
  transports: true,
  gossipIntervalMs: true,
  pingIntervalMs: true,
  maxConnections: true,
  onFound: true,
  onDialed: true,
  patient: true,
  peerBytes: true,
  logger: true
}

export interface HandlerContext {
  readonly peerId: string
  /** multiaddr that the caller's connection comes from */
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
  /** multiaddrs of the peer, from its announcement; without them those known of it */
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

export interface AnnounceOptions {
  /** how long the announcement is valid, default six minutes */
  readonly expiryMs?: number
  readonly signal?: AbortSignal
}

export interface Network {
  readonly peerId: string
  /** multiaddrs at which others reach this peer, each with /p2p/<peer id> */
  readonly addresses: string[]
  /** bytes of frames on the streams that this peer has opened, so far */
  readonly traffic: Readonly<ByteCount>
  /** Listens and joins. Throws ADDRESS_IN_USE, and UNREACHABLE when no address to join answers and this peer is not patient. */
  start(): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  handle(protocol: string, handler: Handler, options?: HandlerOptions): Promise<void>
  /** Throws INVALID_ARGUMENT on a bad peer id or address, UNREACHABLE when the peer does not answer. */
  open(peer: string, protocol: string, options?: OpenOptions): Promise<MessageStream>
  /** One message each way. Throws the peer's Failure, UNREACHABLE, UNSUPPORTED, DEADLINE, ABORTED. */
  request(peer: string, protocol: string, message: Message, options?: RequestOptions): Promise<Message>
  /** Round trip to the peer in milliseconds. */
  ping(peer: string, options?: OpenOptions): Promise<number>
  /** the announcements that this peer knows */
  readonly directory: Directory
  readonly dht: Dht
  /**
   * Signs an announcement of this peer and stores it: in the directory, and with the peers of the DHT, as one of the
   * servers of its model. Returns how many peers took it: none where there are none yet. Throws INVALID_ARGUMENT where
   * the fields make no sense.
   */
  announce(fields: AnnouncementFields, options?: AnnounceOptions): Promise<number>
  /** The host that a peer is connected from, `ip4/192.0.2.1`; its peer id where that is not known. */
  hostOf(peer: string): string
  /** Connected peers that speak a protocol. */
  peersWith(protocol: string): Promise<string[]>
  /** Calls back with each peer whose protocols become known; the function returned ends that. */
  onPeer(listener: (peer: string) => void): () => void
  /** Calls back with each peer whose last connection has closed; the function returned ends that. */
  onPeerGone(listener: (peer: string) => void): () => void
  /** Calls back when the addresses of this peer have changed, as by a relay or a router; the function returned ends that. */
  onAddresses(listener: () => void): () => void
  /** Joins again where no peer is connected any more. Never throws; false when nobody answers. */
  rejoin(): Promise<boolean>
}
