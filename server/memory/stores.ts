// What a server keeps in memory for its clients: keys and values, prefixes, residuals. Each store has its own byte
// limit.
import type { KeptPass } from '../compute/span-runs.ts'
import type { GaugeReadings } from '../observe/metrics.ts'
import { KvCache } from './kv/kv-cache.ts'
import type { MemoryPlan } from './plan.ts'
import { PrefixStore } from './prefix-store.ts'
import { ResidualCache } from './residual-cache.ts'

export interface Stores {
  readonly kvCache: KvCache
  /** absent: prefixes are not cached */
  readonly prefixes?: PrefixStore
  readonly residuals: ResidualCache<KeptPass>
}

/** Empty ones, of the sizes that were planned. */
export function createStores(plan: MemoryPlan): Stores {
  const { kvCacheBytes, kvCacheBytesPerPeer, prefixBytes, residualBytes } = plan
  const kvCache = new KvCache(kvCacheBytes, { bytesPerPeer: kvCacheBytesPerPeer })
  const residuals = new ResidualCache<KeptPass>({ maxBytes: residualBytes })
  if (prefixBytes === 0) return { kvCache, residuals }
  return { kvCache, residuals, prefixes: new PrefixStore({ kvCache }, { maxBytes: prefixBytes }) }
}

/** How full they are. */
export function readingsOf({
  kvCache,
  prefixes,
  residuals
}: Stores): Omit<GaugeReadings, 'sessions' | 'queueLength' | 'programs' | 'strayErrors'> {
  return {
    cacheBytesUsed: kvCache.bytesUsed,
    cacheBytesTotal: kvCache.maxBytes,
    prefixBytesUsed: prefixes?.bytes ?? 0,
    residualBytesUsed: residuals.bytes,
    residualBytesTotal: residuals.maxBytes
  }
}
