// The session of a generation: its path through the swarm, as the generating code sees it.
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'
import type { EncoderStates } from '../passes/encoder-states.ts'
import type { Hop } from '../routing/routing.ts'

export interface SessionOptions {
  readonly batch: number
  /** most positions that a row may reach, prompts included */
  readonly maxLength: number
  /** what blocks of a decoder attend to, held by the servers for the session; needed for those that cross-attend */
  readonly encoder?: EncoderStates
  /** of adapters, held by the servers for the session */
  readonly ports?: NamedTensors
  readonly signal?: AbortSignal
}

export interface SessionStepOptions {
  /** how many of the new positions of each row are tokens; the rest, on the right, is padding. Absent: all are */
  readonly lengths?: readonly number[]
  /** all: results of every position (default); last: of each row's last token, [batch, 1, hidden] */
  readonly answer?: 'all' | 'last'
  readonly signal?: AbortSignal
}

/** Blocks with a cache on servers, which positions are added to. Takes one step at a time. */
export interface InferenceSession {
  /** number of positions in each row */
  readonly lengths: readonly number[]
  /** the servers, in order, as they are now */
  readonly route: readonly Hop[]
  /**
   * New positions [batch, seq, hidden] through the blocks; one step at a time. A lost server is replaced, with the same
   * results. After an error the session is closed. Throws INVALID_ARGUMENT, BLOCKS_UNAVAILABLE naming blocks without a
   * server, the error of the server that failed last (with its peer and blocks), DEADLINE, ABORTED.
   */
  step(hidden: Float32Tensor, options?: SessionStepOptions): Promise<Float32Tensor>
  /** Truncates the rows to these lengths: the next step continues from there. Throws INVALID_ARGUMENT. */
  truncate(lengths: readonly number[]): void
  /** Row i continues the content of row `parents[i]`. Throws INVALID_ARGUMENT. */
  reorder(parents: readonly number[]): void
  /** Ends the session and frees its cache on the servers. */
  close(): Promise<void>
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>
}
