// A generation's way through the swarm: what it is asked for, and how it is opened.
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { BlockRange } from '../../common/range.ts'
import type { Tensor } from '../../common/tensor.ts'
import type { Network } from '../../network/network.ts'
import type { Codec, NamedTensors } from '../../proto/frame.ts'
import type { Auditor } from '../audit/auditor.ts'
import type { Peers } from './peers.ts'
import { retry, throwIfAborted } from './retry.ts'
import type { Hop } from './routing.ts'
import { ChainBuilder } from './session/chain-builder.ts'
import { ChainSession } from './session/chain-session.ts'
import type { Ping } from './session/liveness.ts'
import { SessionRecorder } from './session/recorder.ts'

export interface SessionOptions {
  readonly batch: number
  /** most positions that a row may reach, prompts included */
  readonly maxLength: number
  /** of adapters, held by the servers for the session */
  readonly ports?: NamedTensors
  readonly signal?: AbortSignal
}

export interface StepOptions {
  /** how many of the new positions of each row are tokens; the rest, on the right, is padding. Absent: all are */
  readonly lengths?: readonly number[]
  /** all: results of every position (default); last: of each row's last token, [batch, 1, hidden] */
  readonly answer?: 'all' | 'last'
  readonly signal?: AbortSignal
}

export interface InferenceSession {
  /** positions that each row has taken in */
  readonly lengths: readonly number[]
  /** the servers, in order, as they are now */
  readonly route: readonly Hop[]
  /**
   * New positions [batch, seq, hidden] through the blocks; one step at a time. A server that is lost is replaced, and the results
   * are what they would have been. After an error the session is closed. Throws INVALID_ARGUMENT, BLOCKS_UNAVAILABLE naming
   * blocks that nobody serves any more, the error of the server that failed last (with its peer and blocks), DEADLINE, ABORTED.
   */
  step(hidden: Tensor<'float32'>, options?: StepOptions): Promise<Tensor<'float32'>>
  /** Forgets what lies behind these lengths: the next step goes on from there. Throws INVALID_ARGUMENT. */
  truncate(lengths: readonly number[]): void
  /** Row i goes on from what row `parents[i]` holds. Throws INVALID_ARGUMENT. */
  reorder(parents: readonly number[]): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface Components {
  readonly network: SessionNetwork
  readonly peers: Peers
  readonly auditor?: Auditor | null
  readonly logger: Logger
}

/** What a session needs of the network: without pings and directory, servers that are silent are waited for, and hand on nothing. */
export type SessionNetwork = Pick<Network, 'open'> & Partial<Pick<Network, 'ping' | 'directory'>>

interface SessionInit {
  readonly model: string
  /** of hidden states */
  readonly codec: Codec
  readonly hiddenSize: number
  readonly cacheBytesPerPosition: number
  readonly wholeSteps?: boolean
  readonly retryDelaysMs: readonly number[]
  readonly blocks: BlockRange
}

/** Opens a session on the fastest chain with room for its cache; with another one where a server fails. */
export async function openInferenceSession(
  { network, peers, auditor, logger }: Components,
  init: SessionInit,
  options: SessionOptions
): Promise<InferenceSession> {
  const { batch, maxLength, ports = {}, signal } = options
  for (const [name, value] of Object.entries({ batch, maxLength })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number above 0, found ${value}`)
    }
  }
  const { retryDelaysMs, hiddenSize, wholeSteps = false } = init
  const cacheBytesPerBlock = batch * maxLength * init.cacheBytesPerPosition
  const session = crypto.getRandomValues(new Uint8Array(16))
  const { directory } = network
  const recordOf = directory && ((peerId: string) => directory.recordOf(peerId))
  const ping: Ping | undefined =
    network.ping && ((peerId, limit) => network.ping!(peerId, { addresses: peers.addressesOf(peerId), signal: limit }))
  const builder = new ChainBuilder(
    { network, peers, logger, recordOf, ping, relays: () => auditor?.relays ?? false },
    { ...init, session, batch, maxLength, ports, cacheBytesPerBlock }
  )
  const building = retry(() => builder.build(signal), { delaysMs: retryDelaysMs, logger, signal })
  const chain = await building.catch(error => {
    throwIfAborted(signal)
    throw builder.givenUp(toSwarmError(error))
  })
  const recorder = auditor?.drawSession() ? new SessionRecorder({ auditor }, { batch, hiddenSize, ports }) : null
  return new ChainSession(
    { builder, chain, logger, recorder },
    { hiddenSize, batch, maxLength, retryDelaysMs, wholeSteps }
  )
}
