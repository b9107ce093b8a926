// What handlers work with.
import type { Logger } from '../common/logger.ts'
import type { BlockRange } from '../common/range.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Residuals, SpanExecutor } from './executor.ts'
import type { KvCache } from './kv-cache.ts'
import type { ServerMetrics } from './metrics.ts'
import type { ResidualCache } from './residual-cache.ts'
import type { Scheduler } from './scheduler.ts'

export interface ServerContext {
  readonly checkpoint: Checkpoint
  readonly range: BlockRange
  readonly executor: SpanExecutor
  readonly scheduler: Scheduler
  readonly kvCache: KvCache
  /** with the shape of the output, which the gradient must have */
  readonly residuals: ResidualCache<{ readonly residuals: Residuals; readonly shape: readonly number[] }>
  readonly metrics: ServerMetrics
  readonly logger: Logger
  /** counts a request or session as running until the function that comes back is called; throws DRAINING */
  enter(kind: 'request' | 'session'): () => void
  readonly sessions: number
  /** the server's own signed announcement; empty before it has one */
  announcement(): Uint8Array
}
