// What a server keeps in memory for its clients: keys and values, prefixes, residuals. Each store has its own byte
// limit.
import type { KeptPass } from '../compute/span-runs.ts'
import type { GaugeReadings } from '../observe/metrics.ts'
import { AdapterStore } from './adapter-store.ts'
import { KvCache } from './kv/kv-cache.ts'
import type { MemoryPlan } from './plan.ts'
import { PrefixStore } from './prefix-store.ts'
import { ResidualCache } from './residual-cache.ts'

export interface Stores {
  readonly kvCache: KvCache
  /** absent: prefixes are not cached */
  readonly prefixes?: PrefixStore
  readonly adapters: AdapterStore
  readonly residuals: ResidualCache<KeptPass>
}

/** Empty ones, of the sizes that were planned. */
export function createStores(plan: MemoryPlan): Stores {
  const { kvCacheBytes, kvCacheBytesPerPeer, prefixBytes, adapterBytes, residualBytes } = plan
  const kvCache = new KvCache(kvCacheBytes, { bytesPerPeer: kvCacheBytesPerPeer })
  const residuals = new ResidualCache<KeptPass>({ maxBytes: residualBytes })
  // released in this order: prefixes can be computed again, adapters must be sent again
  const prefixes = prefixBytes === 0 ? {} : { prefixes: new PrefixStore({ kvCache }, { maxBytes: prefixBytes }) }
  return { kvCache, residuals, ...prefixes, adapters: new AdapterStore({ kvCache }, { maxBytes: adapterBytes }) }
}

/** How full they are. */
export function readingsOf({
  kvCache,
  prefixes,
  adapters,
  residuals
}: Stores): Omit<GaugeReadings, 'sessions' | 'queueLength' | 'programs' | 'strayErrors'> {
  return {
    cacheBytesUsed: kvCache.bytesUsed,
    cacheBytesTotal: kvCache.maxBytes,
    prefixBytesUsed: prefixes?.bytes ?? 0,
    adapterBytesUsed: adapters.bytes,
    residualBytesUsed: residuals.bytes,
    residualBytesTotal: residuals.maxBytes
  }
}
