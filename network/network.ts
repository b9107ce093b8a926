// What the rest of the project sees of the network: no libp2p here.
import type { Logger } from '../common/logger.ts'
import type { OptionKeys } from '../common/options.ts'
import type { AnnouncementFields } from './discovery/announcement.ts'
import type { AnnounceOptions } from './discovery/announcer.ts'
import type { Dht } from './discovery/dht.ts'
import type { Directory } from './discovery/directory.ts'
import type { FoundPeer } from './discovery/local-peers.ts'
import type { AllowList } from './private/allow-list.ts'
import type { PrivateKey } from './private/identity.ts'
import type { JoinResult } from './state/dial-failure.ts'
import type { ByteCount } from './streams/message-stream.ts'
import type { Peer } from './streams/peer.ts'

export type { AnnounceOptions } from './discovery/announcer.ts'
export type { FoundPeer } from './discovery/local-peers.ts'
export type { JoinResult } from './state/dial-failure.ts'
export type { Handler, HandlerContext, HandlerOptions, OpenOptions, Peer, RequestOptions } from './streams/peer.ts'

export interface NetworkInit {
  /** multiaddrs to listen on; default all interfaces on a free TCP port; empty: a client, which only dials */
  readonly listen?: readonly string[]
  /** multiaddrs or `host:port` of peers of the swarm; one that answers is enough */
  readonly join?: readonly string[]
  /** multiaddrs or `host:port` to tell others instead of those listened on, where they are not reachable as they are */
  readonly announce?: readonly string[]
  readonly privateKey?: PrivateKey
  /** file of the private key, made where there is none; without it and `privateKey` the identity is new each time */
  readonly identityPath?: string
  /** secret of a private swarm, 32 bytes: peers with another secret or none get no connection */
  readonly secret?: Uint8Array
  /** name of the private swarm, for messages */
  readonly swarmName?: string
  /** the peers that get a connection, and those of them whose announcements are believed; default: all */
  readonly allow?: AllowList
  /** what peers on the LAN look for each other by, see `membership`; default: by nothing */
  readonly multicastTag?: string
  /** listen for a look only: others are told nothing of this peer, by multicast or the DHT, and swarms are not joined by it. Default false */
  readonly isGuest?: boolean
  /** a second name on the LAN that this peer answers to and does not look for */
  readonly answerTag?: string
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
  answerTag: true,
  isGuest: true,
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

export interface Network extends Peer {
  /** bytes of frames on the streams that this peer has opened, so far */
  readonly traffic: Readonly<ByteCount>
  /** name of the private swarm; undefined: an open one */
  readonly swarmName?: string
  /** Listens and joins. Throws ADDRESS_IN_USE, and UNREACHABLE when no address to join answers and this peer is not patient. */
  start(): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /** the announcements that this peer knows */
  readonly directory: Directory
  readonly dht: Dht
  /**
   * Signs an announcement of this peer and stores it: in the directory, and with the peers of the DHT, as one of the
   * servers of its model. Returns how many peers took it: none where there are none yet. Throws INVALID_ARGUMENT where
   * the fields make no sense.
   */
  announce(fields: AnnouncementFields, options?: AnnounceOptions): Promise<number>
}
