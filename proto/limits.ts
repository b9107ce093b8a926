// Limits of a frame, checked before anything is allocated for it. docs/protocol.md, "Limits".
import { GiB, MiB, minute } from '../common/units.ts'

/** the protobuf header of a frame */
export const maxHeaderBytes = 1 * MiB
/** header and payload of a frame together, where a handler does not say otherwise */
export const maxFrameBytes = 1 * GiB
export const maxTensors = 4096
/** fields of a body, those that are repeated counted each: a directory and a request for hashes have 4096 at most */
export const maxBodyFields = 8192
export const maxRank = 8
/** characters of a tensor's name */
export const maxNameLength = 256
/** characters of a failure's message; longer ones are cut */
export const maxMessageLength = 4096
/** how long a request may take where the caller does not say otherwise; clients and servers agree on it */
export const requestTimeoutMs = 3 * minute
/** most positions of a row in one replayed step of a session */
export const replayPositions = 256
