// How much one server does for one request and one peer. Times in milliseconds, sizes in elements or counts.
import { minute } from '../common/units.ts'

/** rows times positions of one forward or backward request */
export const maxTokensPerRequest = 65_536
/** rows of one request or session */
export const maxBatch = 1024
export const maxLoraRank = 4096
/** open inference sessions of one peer */
export const maxSessionsPerPeer = 32
/** requests that wait for the device */
export const maxQueueLength = 256
/** compiled graphs that are kept */
export const maxPrograms = 24

/** a request's deadline where it names none, and the longest it may name (as Petals) */
export const requestTimeoutMs = 3 * minute
export const maxRequestTimeoutMs = 30 * minute
/** an inference session that is silent for so long is closed */
export const sessionIdleMs = 30 * minute
