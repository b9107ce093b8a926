// Times, sizes and counts of the network layer, each with its reason.
import { GiB, KiB, MiB, minute, second } from '../common/units.ts'

/** A piece of a frame handed to the stream at once: encrypting it keeps the event loop for under a millisecond. */
export const chunkBytes = 128 * KiB
/** Unread bytes that a stream keeps before it tells the sender to pause. */
export const readAheadBytes = 1 * MiB
/** Window of a used stream without a large frame: one update for each 64 decode steps. */
export const idleWindowBytes = 2 * MiB
/** Maximum window of a stream: 1 Gbit/s times 130 ms. */
export const streamWindowBytes = 16 * MiB
/** Time of silence in the middle of a frame after which the stream is reset. */
export const stallTimeoutMs = 60 * second
/** Time for a caller to start its first frame after opening a stream. */
export const firstFrameTimeoutMs = 30 * second
/** Time for the other side to end a stream that we ended, and for our bytes to be sent. */
export const closeTimeoutMs = 10 * second
/** Dialing one peer, all its addresses together. */
export const dialTimeoutMs = 10 * second
/** Streams of one protocol that one peer may have open here at once. */
export const maxStreamsPerPeer = 64
/**
 * Buffer for the first bytes of a request; it grows fourfold as they arrive, so that an announced size costs nothing.
 */
export const firstRequestBytes = 64 * KiB
/**
 * The same for an expected answer. Every growth copies: with 64 KiB, answers of half a MiB cost a training client 43 ms
 * of garbage collection a step.
 */
export const firstAnswerBytes = 1 * MiB
/** Default limits of the bytes held for all peers together, and for one peer. */
export const maxBytesOfPeers = 4 * GiB
export const maxBytesPerPeer = 1 * GiB
/** Cost of an open stream beyond its data, in bytes. */
export const streamBytes = 8 * KiB
/** Retry delay for a peer at its limit: by then some of its requests have ended. */
export const busyRetryMs = 1 * second
/** Time for a TCP connection to become a WebSocket. */
export const upgradeTimeoutMs = 10 * second
/** How often each connection is pinged; one that does not answer is closed, and all its streams with it. */
export const pingIntervalMs = 5 * second
/** Time limit of a ping, after which its connection counts as dead. */
export const pingTimeoutMs = 10 * second
/**
 * Limits of incoming connections. A machine may run many peers, and many may sit behind one address; a handshake takes
 * milliseconds, so that an honest newcomer is done before those that came after it push it out.
 */
export const connectionLimits = {
  pendingPerHost: 64,
  pending: 512,
  perHost: 512,
  connections: 1024,
  keptForKnown: 256
} as const
/** Time limit of joining: dialing all given addresses, and identifying the first peer that answers. */
export const joinTimeoutMs = 15 * second
/** Pauses before a patient peer tries the addresses to join again; the last one for ever. */
export const joinRetryMs = [1 * second, 2 * second, 5 * second, 10 * second] as const
/** How long an announcement is valid; a silent server counts as gone afterwards. */
export const announcementExpiryMs = 6 * minute
/** How often a server announces itself: neither one that is lost nor a clock that is minutes off makes it disappear. */
export const announcementIntervalMs = 2 * minute
/** Storing one announcement with the DHT. */
export const announceTimeoutMs = 20 * second
/** New peers that appear within this time of each other are reported together. */
export const newPeersDelayMs = 250
/** How often servers exchange directories. */
export const gossipIntervalMs = 30 * second
/** One directory request. */
export const directoryTimeoutMs = 5 * second
/** After the first directory's answer, maximum wait for others. */
export const answerPatienceMs = 2 * second
/** A look-up of providers or of one record on the DHT. */
export const lookupTimeoutMs = 10 * second
/** A client that has just joined has no peers on the DHT for a moment. */
export const dhtReadyTimeoutMs = 3 * second
/** Records in one directory answer together: they travel in a frame's header. */
export const maxDirectoryBytes = 768 * KiB
/** Announcements in one directory request that are looked at. */
export const maxPushedRecords = 64
/** Hourly quota of other peers' announcements from one host; our own peers push only their own. */
export const maxPushedPerHost = 512
/** Number of servers of a model up to which they are used without a ping. */
export const maxUnproven = 8
/** Number of concurrent pings if there are more servers, and number of rounds. */
export const proofsAtOnce = 48
export const maxProofRounds = 4
/** Time without an answer to a ping after which a server counts as gone; shorter if others serve all blocks. */
export const proofTimeoutMs = 2.5 * second
export const proofPatienceMs = 1 * second
/** How long a server that has answered counts as there, and one that has not as gone. */
export const provenForMs = 10 * minute
export const missingForMs = 1 * minute
/** Peers that a relay listens for at once; each costs it a reservation of an hour and its traffic. */
export const maxReservations = 64
/** Maximum bytes of the first message of a relayed stream: a peer and its addresses. */
export const maxRelayMessageBytes = 8 * KiB
/** How long a client without an address to join by listens for peers on the LAN; they answer at once, multicast may be lost. */
export const multicastTimeoutMs = 15 * second
/** The other peers of a LAN answer within this time of the first. */
export const multicastSettleMs = 1 * second
/** Interval of multicast queries. */
export const multicastIntervalMs = 5 * second
/** Peers found on the LAN that are dialed at once. */
export const maxMulticastDials = 32
/** Addresses of one probe that are tried, each for so long. */
export const maxProbedAddresses = 8
export const probeDialTimeoutMs = 5 * second
/** Keys of the DHT that one peer, and all peers of one host, may have this peer store in an hour. A server needs two. */
export const maxKeysPerPeer = 64
export const maxKeysPerHost = 1024
export const quotaWindowMs = 60 * minute
/** Peers, and hosts, whose keys are counted at once. */
export const maxQuotaSources = 8192
/**
 * Limits of the stores for other peers' data: records have up to 4 KiB, a peer of the peer store about 1 KiB, a
 * provider 100 bytes.
 */
export const storeLimits = { '/dht/record/': 4096, '/dht/provider/': 16_384, '/peers/': 8192 } as const
/** A request to the DHT: the largest has a record of 4 KiB, or the addresses of one peer. */
export const maxDhtRequestBytes = 8 * KiB
/** An answer of the DHT: the largest names 20 peers close to the key and all the providers that its sender knows. */
export const maxDhtAnswerBytes = 128 * KiB
/** Peers close to a key in one answer that is read; Kademlia's k is 20. */
export const maxCloserPeers = 64
/** Maximum providers in a received answer, and in a sent one: the requester stops at 20. */
export const maxProvidersRead = 1024
export const maxProvidersTold = 64
/** Maximum stored addresses of one peer, from any source; announcements have up to 16. */
export const maxAddressesPerPeer = 32
