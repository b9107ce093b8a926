// What handlers work with.
import type { Logger } from '../common/logger.ts'
import type { BlockRange } from '../common/range.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Network } from '../network/network.ts'
import type { Admission } from './admission.ts'
import type { DecodeEngine } from './engine.ts'
import type { Residuals, SpanExecutor } from './executor.ts'
import type { KvCache } from './kv/kv-cache.ts'
import type { ServerMetrics } from './metrics.ts'
import type { ResidualCache } from './residual-cache.ts'
import type { Scheduler } from './scheduler.ts'
import type { ServedSession } from './served-session.ts'
import type { SessionRegistry } from './session-registry.ts'

export interface ServerContext {
  readonly checkpoint: Checkpoint
  readonly range: BlockRange
  /** memory that computing one request may take */
  readonly workingBytes: number
  /** tokens per second through one block, as measured */
  readonly forwardRate: number
  readonly executor: SpanExecutor
  readonly engine: DecodeEngine
  readonly scheduler: Scheduler
  readonly kvCache: KvCache
  readonly residuals: ResidualCache<Residuals>
  readonly metrics: ServerMetrics
  readonly logger: Logger
  /** counts a request or session as running until the function that comes back is called; throws BUSY, DRAINING */
  readonly enter: Admission['enter']
  readonly sessions: number
  readonly network: Network
  /** sessions that servers before this one bring steps to */
  readonly registry: SessionRegistry<ServedSession>
  /** Aborts when those who are in have to leave at once. */
  readonly evicted: AbortSignal
  /** Calls back when the server begins to leave, at once where it has, until the signal aborts. */
  readonly onDraining: Admission['onClosed']
  /** the server's own signed announcement; empty before it has one */
  announcement(): Uint8Array
}
