// The dependencies of request handlers.
import type { Logger } from '../common/logger.ts'
import type { BlockRange } from '../common/range.ts'
import type { Checkpoint } from '../model/checkpoint/checkpoint.ts'
import { fixedPositions } from '../model/config/rope-config.ts'
import type { Network } from '../network/network.ts'
import type { Message } from '../proto/messages.ts'
import { EncoderForward } from './compute/encoder-forward.ts'
import type { SpanExecutor } from './compute/executor.ts'
import { runsOf } from './compute/span-runs.ts'
import type { ServerInit } from './init.ts'
import { passRunMs } from './limits.ts'
import type { MemoryPlan } from './memory/plan.ts'
import type { Stores } from './memory/stores.ts'
import type { ServerMetrics } from './observe/metrics.ts'
import type { SpanHost } from './placement/span-host.ts'
import type { Admission } from './schedule/admission.ts'
import type { Scheduler } from './schedule/scheduler.ts'
import type { DecodeEngine } from './sessions/engine.ts'
import { SessionRegistry } from './sessions/registry.ts'

/** A session as the server before this one reaches it. */
export interface PushedSession {
  /** peer id of that server */
  readonly previous: string
  /** a step of it, which ends with its result on the way */
  accept(message: Message<'inferenceStep'>, signal: AbortSignal): Promise<void>
  /** Ends the session. */
  fail(error: unknown): void
}

export interface ServerContext {
  readonly checkpoint: Checkpoint
  readonly range: BlockRange
  /** maximum bytes of working memory for one request */
  readonly workingBytes: number
  /** bytes of the largest frame that is read */
  readonly maxFrameBytes: number
  /** blocks are loaded; false while the server moves to others */
  readonly isLoaded: boolean
  /** tokens per second through one block, as measured */
  readonly forwardRate: number
  readonly executor: SpanExecutor
  /** splits a pass of this many tokens into runs of the device: the blocks of each run */
  runsOf(blocks: BlockRange, tokens: number): BlockRange[]
  /** forward passes of an encoder's blocks that keep nothing for a backward */
  readonly encoderForward: Pick<EncoderForward, 'forward'>
  readonly engine: DecodeEngine
  readonly scheduler: Scheduler
  readonly kvCache: Stores['kvCache']
  readonly residuals: Stores['residuals']
  readonly adapters: Stores['adapters']
  readonly metrics: ServerMetrics
  readonly logger: Logger
  /** counts a request or session as running until the returned function is called; throws BUSY, DRAINING */
  readonly enter: Admission['enter']
  readonly sessions: number
  readonly network: Network
  /** sessions that servers before this one bring steps to */
  readonly registry: SessionRegistry<PushedSession>
  /** Aborts when running requests and sessions must end at once. */
  readonly evicted: AbortSignal
  /** Calls back when the server starts to leave, at once if it already has, until the signal aborts. */
  readonly onDraining: Admission['onClosed']
  /** the server's own signed announcement; empty before it has one */
  announcement(): Uint8Array
}

export interface ContextParts {
  readonly network: Network
  readonly host: SpanHost
  readonly stores: Stores
  readonly scheduler: Scheduler
  readonly admission: Admission
  readonly metrics: ServerMetrics
  readonly logger: Logger
}

/**
 * The context of a server with loaded blocks; its values are those of the blocks that are loaded at the time of access.
 */
export function createContext(
  { network, host, stores, scheduler, admission, metrics, logger }: ContextParts,
  { checkpoint, passRunMs: runMs = passRunMs }: ServerInit,
  plan: MemoryPlan
): ServerContext {
  return {
    get executor() {
      return host.span!.executor
    },
    get engine() {
      return host.engine!
    },
    get range() {
      return host.range
    },
    get forwardRate() {
      return host.span!.throughput.forwardRate
    },
    get isLoaded() {
      return host.span !== undefined
    },
    get evicted() {
      return admission.evicted
    },
    get sessions() {
      return admission.inside.session
    },
    runsOf: (blocks, tokens) => runsOf(blocks, { tokens, forwardRate: host.span!.throughput.forwardRate, runMs }),
    checkpoint,
    encoderForward: new EncoderForward(
      { scheduler, metrics, outputs: stores.outputs },
      { mayJoin: fixedPositions(checkpoint.config.rope) === undefined }
    ),
    scheduler,
    metrics,
    logger,
    network,
    workingBytes: plan.workingBytes,
    maxFrameBytes: plan.maxFrameBytes,
    kvCache: stores.kvCache,
    residuals: stores.residuals,
    adapters: stores.adapters,
    registry: new SessionRegistry(),
    enter: visit => admission.enter(visit),
    onDraining: (listener, signal) => admission.onClosed(listener, signal),
    announcement: () => network.directory.recordOf(network.peerId) ?? new Uint8Array()
  }
}
