// What a server keeps in memory for its clients: keys and values, prefixes, residuals. Each store has its own byte
// limit.
import type { KeptPass } from '../compute/span-runs.ts'
import type { GaugeReadings } from '../observe/metrics.ts'
import { AdapterStore } from './adapter-store.ts'
import { KvCache } from './kv/kv-cache.ts'
import { OutputStore } from './output-store.ts'
import type { MemoryPlan } from './plan.ts'
import { PrefixStore } from './prefix-store.ts'
import { ResidualCache } from './residual-cache.ts'

export interface Stores {
  readonly kvCache: KvCache
  /** absent: prefixes are not cached */
  readonly prefixes?: PrefixStore
  /** of an encoder's blocks; absent: none are kept */
  readonly outputs?: OutputStore
  readonly adapters: AdapterStore
  readonly residuals: ResidualCache<KeptPass>
}

/** Empty ones, of the sizes that were planned. @param hasEncoder whether the model has an encoder, whose outputs are kept */
export function createStores(plan: MemoryPlan, hasEncoder = false): Stores {
  const { kvCacheBytes, kvCacheBytesPerPeer, prefixBytes, outputBytes, adapterBytes, residualBytes } = plan
  const kvCache = new KvCache(kvCacheBytes, { bytesPerPeer: kvCacheBytesPerPeer })
  const residuals = new ResidualCache<KeptPass>({ maxBytes: residualBytes })
  // released in this order: outputs and prefixes can be computed again, adapters must be sent again
  const keepsOutputs = hasEncoder && outputBytes > 0
  const outputs = keepsOutputs ? { outputs: new OutputStore({ kvCache }, { maxBytes: outputBytes }) } : {}
  const prefixes = prefixBytes === 0 ? {} : { prefixes: new PrefixStore({ kvCache }, { maxBytes: prefixBytes }) }
  return {
    kvCache,
    residuals,
    ...outputs,
    ...prefixes,
    adapters: new AdapterStore({ kvCache }, { maxBytes: adapterBytes })
  }
}

/** How full they are. */
export function readingsOf({
  kvCache,
  prefixes,
  outputs,
  adapters,
  residuals
}: Stores): Omit<GaugeReadings, 'sessions' | 'queueLength' | 'programs' | 'strayErrors'> {
  return {
    cacheBytesUsed: kvCache.bytesUsed,
    cacheBytesTotal: kvCache.maxBytes,
    prefixBytesUsed: prefixes?.bytes ?? 0,
    outputBytesUsed: outputs?.bytes ?? 0,
    adapterBytesUsed: adapters.bytes,
    residualBytesUsed: residuals.bytes,
    residualBytesTotal: residuals.maxBytes
  }
}
