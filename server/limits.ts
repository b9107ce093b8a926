// How much one server does for one request and one peer. Times in milliseconds, sizes in bytes, elements or counts.
import { KiB, MiB, minute, second } from '../common/units.ts'

/** rows times positions of one forward or backward request */
export const maxTokensPerRequest = 65_536
/**
 * maximum work of a forward or backward request of several rows, by the measured rate; this many tokens are always
 * allowed
 */
export const requestWorkMs = 2 * second
export const minRequestTokens = 2048
/** rows of one request or session */
export const maxBatch = 1024
export const maxLoraRank = 4096
/** open inference sessions of one peer */
export const maxSessionsPerPeer = 32
/** push streams of one upstream server, for sessions of any client */
export const maxPushStreamsPerPeer = 512
/** frames of requests that carry no tensors */
export const maxSmallFrameBytes = 64 * KiB
/** a request for a model's tensors, which may name many */
export const maxRequestFrameBytes = 1 * MiB
/** transfers of a model's tensors to one peer at a time */
export const maxTensorStreamsPerPeer = 4
/** maximum bytes of trained tensors in one request */
export const maxPortBytes = 512 * MiB
/** requests of one kind, decode or training, that wait for the device */
export const maxQueueLength = 256
/** maximum number of more urgent runs before waiting work gets a turn, so that no kind starves */
export const maxPassed = { prefill: 2, training: 16 } as const
/** rows that are decoded in one run */
export const maxDecodeRows = 64
/** tokens, padding included, that forward requests of an encoder's blocks have together when they are computed in one run */
export const batchedTokens = 512
/** approximate time for which a piece of a prompt may delay decode steps, and its limits in tokens */
export const pieceMs = 150
export const [minPieceTokens, maxPieceTokens] = [32, 512]
/**
 * approximate time for which a run of a forward pass may delay decode steps (a backward pass: two or three times that),
 * and the maximum number of runs of a pass
 */
export const passRunMs = 250
export const maxPassRuns = 32
/** a session waits so long for room in the KV cache */
export const cacheWaitMs = 30 * second
/** positions that a row may add in one step and be as urgent as one that adds a single one: guesses of speculative decoding */
export const maxGuessTokens = 16
/**
 * maximum number of compiled graphs over all blocks; graphs over some blocks count proportionally, with this minimum
 */
export const maxPrograms = 24
export const leastProgramShare = 1 / 4

export const maxRequestTimeoutMs = 30 * minute
/** an inference session that is silent for so long is closed */
export const sessionIdleMs = 30 * minute
/** residuals without a backward request are dropped after this time */
export const residualLifetimeMs = 10 * minute
