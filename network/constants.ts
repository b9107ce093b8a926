// Times, sizes and counts of the network layer, each with its reason.
import { KiB, MiB, minute, second } from '../common/units.ts'

/** A piece of a frame handed to the stream at once: encrypting it keeps the event loop for under a millisecond. */
export const chunkBytes = 128 * KiB
/** Unread bytes that a stream keeps before it tells the sender to pause. */
export const readAheadBytes = 1 * MiB
/** Most bytes that a sender may have on the way on one stream: 1 Gbit/s times 130 ms. */
export const streamWindowBytes = 16 * MiB
/** A stream whose peer says nothing in the middle of a frame for so long is given up. */
export const stallTimeoutMs = 60 * second
/** Time for a caller to begin its first frame after opening a stream. */
export const firstFrameTimeoutMs = 30 * second
/** Time for the other side to end a stream that we have ended, and for what we sent to leave. */
export const closeTimeoutMs = 10 * second
/** A request without a deadline of its own. */
export const requestTimeoutMs = 3 * minute
/** Dialing one peer, all its addresses together. */
export const dialTimeoutMs = 10 * second
/** Streams of one protocol that one peer may have open here at once. */
export const maxStreamsPerPeer = 64
/** How often each connection is pinged; one that does not answer is closed, and all its streams with it. */
export const pingIntervalMs = 5 * second
/** Longest that a ping may take before its connection counts as dead. */
export const pingTimeoutMs = 10 * second
/** Joining: dialing all addresses given, and hearing what the first that answers can do. */
export const joinTimeoutMs = 15 * second
