// The one error class that users, callers on the wire and our own code see. Knows nothing of who throws it.

import { escapeControls } from './escape-controls.ts'

/**
 * Every error code and whether trying again (the same peer later, or another peer) can help.
 * The code is what travels on the wire and what programs switch on; the message is for people.
 */
export const errorCodes = {
  /** the caller asked for something that makes no sense */
  INVALID_ARGUMENT: { retryable: false },
  /** a file, tensor or peer that was named does not exist */
  NOT_FOUND: { retryable: false },
  /** architecture, option or version that this build does not do */
  UNSUPPORTED: { retryable: false },
  /** files of a checkpoint or adapter are missing, truncated or contradict each other */
  BAD_CHECKPOINT: { retryable: false },
  /** the peer holds another model or another revision of it */
  MODEL_MISMATCH: { retryable: false },
  /** bytes on a stream that are not a frame of this protocol */
  BAD_FRAME: { retryable: false },
  /** the peer does not host (all of) the blocks asked for */
  BLOCKS_NOT_HOSTED: { retryable: true },
  /** no chain of reachable servers covers the model */
  BLOCKS_UNAVAILABLE: { retryable: true },
  /** kept activations are gone: send the backward request again with the span's input */
  RESIDUALS_EVICTED: { retryable: true },
  /** an adapter that was named by its hash is not kept: open the session again with its tensors */
  PORTS_EVICTED: { retryable: true },
  /** a bounded queue or cache is full */
  BUSY: { retryable: true },
  /** the server is leaving */
  DRAINING: { retryable: true },
  /** the time allowed has passed */
  DEADLINE: { retryable: true },
  /** the caller gave up */
  ABORTED: { retryable: false },
  /** no connection to the peer, or the connection broke */
  UNREACHABLE: { retryable: true },
  /** the listening address is taken */
  ADDRESS_IN_USE: { retryable: false },
  /** a file could not be written because there is no room for it */
  DISK_FULL: { retryable: false },
  /** a number that is not finite where only finite ones make sense */
  NON_FINITE: { retryable: false },
  /** our own invariant does not hold: a bug */
  INTERNAL: { retryable: false }
} as const satisfies Record<string, { retryable: boolean }>

/** What went wrong, the same in the SDK, on the wire and in logs: `BUSY`, `BLOCKS_UNAVAILABLE`. */
export type ErrorCode = keyof typeof errorCodes

export interface SwarmErrorOptions {
  cause?: unknown
  /** overrides what the code says */
  retryable?: boolean
  /** when it is worth asking the same peer again; 0: not known */
  retryAfterMs?: number
}

/** Messages quote what was found: a file or a peer must not make them fill a log, or steer a terminal. */
const maxMessageLength = 2000

/** The text made printable, its middle left out where it is long. */
function bounded(message: string): string {
  const plain = escapeControls(message)
  if (plain.length <= maxMessageLength) return plain
  const half = maxMessageLength / 2 - 20
  return `${plain.slice(0, half)} … (${plain.length - 2 * half} characters) … ${plain.slice(-half)}`
}

/**
 * An error with a stable code. The message says what, where, expected and found, and what to try:
 * `block 7: expected hidden size 2048, got 1024 (is the model revision the same?)`.
 */
export class SwarmError extends Error {
  /** what failed, for programs; the same code travels on the wire */
  readonly code: ErrorCode
  /** whether the same call may succeed later or on another server */
  readonly retryable: boolean
  /** milliseconds after which a retry is worth it; 0: at once */
  readonly retryAfterMs: number

  constructor(code: ErrorCode, message: string, options: SwarmErrorOptions = {}) {
    super(bounded(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SwarmError'
    this.code = code
    this.retryable = options.retryable ?? errorCodes[code].retryable
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}

/** An error's message, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The error itself if it is ours, an ABORTED or DEADLINE one for abort signals, else `fallback` around it. */
export function toSwarmError(error: unknown, fallback: ErrorCode = 'INTERNAL'): SwarmError {
  if (error instanceof SwarmError) return error
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new SwarmError('DEADLINE', error.message, { cause: error })
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new SwarmError('ABORTED', error.message, { cause: error })
  }
  return new SwarmError(fallback, messageOf(error), { cause: error })
}
