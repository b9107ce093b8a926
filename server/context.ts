// What handlers work with.
import type { Logger } from '../common/logger.ts'
import type { BlockRange } from '../common/range.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Admission } from './admission.ts'
import type { DecodeEngine } from './engine.ts'
import type { Residuals, SpanExecutor } from './executor.ts'
import type { KvCache } from './kv/kv-cache.ts'
import type { ServerMetrics } from './metrics.ts'
import type { ResidualCache } from './residual-cache.ts'
import type { Scheduler } from './scheduler.ts'

export interface ServerContext {
  readonly checkpoint: Checkpoint
  readonly range: BlockRange
  /** memory that computing one request may take */
  readonly workingBytes: number
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
  /** the server's own signed announcement; empty before it has one */
  announcement(): Uint8Array
}
