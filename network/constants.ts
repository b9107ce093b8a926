// Times, sizes and counts of the network layer, each with its reason.
import { GiB, KiB, MiB, minute, second } from '../common/units.ts'

/** A piece of a frame handed to the stream at once: encrypting it keeps the event loop for under a millisecond. */
export const chunkBytes = 128 * KiB
/** Unread bytes that a stream keeps before it tells the sender to pause. */
export const readAheadBytes = 1 * MiB
/** What a sender may have on the way on a stream in use where no large frame is read: an update for each 64 decode steps. */
export const idleWindowBytes = 2 * MiB
/** Most bytes that a sender may have on the way on one stream: 1 Gbit/s times 130 ms. */
export const streamWindowBytes = 16 * MiB
/** A stream whose peer says nothing in the middle of a frame for so long is given up. */
export const stallTimeoutMs = 60 * second
/** Time for a caller to begin its first frame after opening a stream. */
export const firstFrameTimeoutMs = 30 * second
/** Time for the other side to end a stream that we have ended, and for what we sent to leave. */
export const closeTimeoutMs = 10 * second
/** Dialing one peer, all its addresses together. */
export const dialTimeoutMs = 10 * second
/** Streams of one protocol that one peer may have open here at once. */
export const maxStreamsPerPeer = 64
/** Buffer for the first bytes of a request; it grows fourfold as they come, so that a size that is only announced costs nothing. */
export const firstRequestBytes = 64 * KiB
/**
 * The same for an answer, which was asked for. Every step copies: with 64 KiB, answers of half a MiB cost a training client 43 ms of
 * garbage collection a step.
 */
export const firstAnswerBytes = 1 * MiB
/** Bytes that all peers together may have this peer hold at once, where nothing else is said; and most that one peer may. */
export const maxBytesOfPeers = 4 * GiB
export const maxBytesPerPeer = 1 * GiB
/** What an open stream costs beside what is on it. */
export const streamBytes = 8 * KiB
/** Where a peer is at one of these limits, some of what it has under way has ended by then. */
export const busyRetryMs = 1 * second
/** Time for a TCP connection to become a WebSocket. */
export const upgradeTimeoutMs = 10 * second
/** How often each connection is pinged; one that does not answer is closed, and all its streams with it. */
export const pingIntervalMs = 5 * second
/** Longest that a ping may take before its connection counts as dead. */
export const pingTimeoutMs = 10 * second
/**
 * Connections that others open. A machine may run many peers, and many may sit behind one address; a handshake takes milliseconds, so
 * that an honest newcomer is done before those that came after it push it out.
 */
export const connectionLimits = {
  pendingPerHost: 64,
  pending: 512,
  perHost: 512,
  connections: 1024,
  keptForKnown: 256
} as const
/** Joining: dialing all addresses given, and hearing what the first that answers can do. */
export const joinTimeoutMs = 15 * second
/** Pauses before a patient peer tries the addresses to join again; the last one for ever. */
export const joinRetryMs = [1 * second, 2 * second, 5 * second, 10 * second] as const
/** How long an announcement is valid; a silent server counts as gone afterwards. */
export const announcementExpiryMs = 6 * minute
/** How often a server announces itself: neither one that is lost nor a clock that is minutes off makes it disappear. */
export const announcementIntervalMs = 2 * minute
/** Storing one announcement with the DHT. */
export const announceTimeoutMs = 20 * second
/** New peers that appear within this time of each other are told together. */
export const newPeersDelayMs = 250
/** How often servers exchange directories. */
export const gossipIntervalMs = 30 * second
/** One directory request. */
export const directoryTimeoutMs = 5 * second
/** Where a directory has answered, others are waited for so long at most. */
export const answerPatienceMs = 2 * second
/** A look-up of providers or of one record on the DHT. */
export const lookupTimeoutMs = 10 * second
/** A client that has just joined has no peers on the DHT for a moment. */
export const dhtReadyTimeoutMs = 3 * second
/** Records in one directory answer together: they travel in a frame's header. */
export const maxDirectoryBytes = 768 * KiB
/** Announcements in one directory request that are looked at. */
export const maxPushedRecords = 64
/** Announcements of others that all peers of one host may push in an hour; ours push their own alone. */
export const maxPushedPerHost = 512
/** Servers of a model that are used without a look at whether they are there. */
export const maxUnproven = 8
/** Servers that are tried at once where there are more, and how often. */
export const proofsAtOnce = 48
export const maxProofRounds = 4
/** A server that answers no ping for so long is not there; where others serve all blocks it is not waited for as long. */
export const proofTimeoutMs = 2.5 * second
export const proofPatienceMs = 1 * second
/** How long a server that has answered counts as there, and one that has not as gone. */
export const provenForMs = 10 * minute
export const missingForMs = 1 * minute
/** Peers that a relay listens for at once; each costs it a reservation of an hour and its traffic. */
export const maxReservations = 64
/** The message that a stream through a relay begins with: a peer and its addresses. */
export const maxRelayMessageBytes = 8 * KiB
/** How long a client without an address to join by listens for peers on the LAN; they answer at once, multicast may be lost. */
export const multicastTimeoutMs = 15 * second
/** The other peers of a LAN answer within this time of the first. */
export const multicastSettleMs = 1 * second
/** How often the LAN is asked again. */
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
/** What is kept of others: records have up to 4 KiB, a peer of the peer store about 1 KiB, a provider 100 bytes. */
export const storeLimits = { '/dht/record/': 4096, '/dht/provider/': 16_384, '/peers/': 8192 } as const
/** A request to the DHT: the largest has a record of 4 KiB, or the addresses of one peer. */
export const maxDhtRequestBytes = 8 * KiB
/** An answer of the DHT: the largest names 20 peers close to the key and all the providers that its sender knows. */
export const maxDhtAnswerBytes = 128 * KiB
/** Peers close to a key in one answer that is read; Kademlia's k is 20. */
export const maxCloserPeers = 64
/** Providers in one answer that is read, and in one that is given: the asker stops at 20. */
export const maxProvidersRead = 1024
export const maxProvidersTold = 64
/** Addresses of one peer that are remembered, from whatever says them; announcements have up to 16. */
export const maxAddressesPerPeer = 32
