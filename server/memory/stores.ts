// What a server keeps in memory for those it serves: keys and values, beginnings of sequences, activations. Each within its bytes.

import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { fixedPositions } from '../../model/config/rope-config.ts'
import type { KeptPass } from '../compute/span-runs.ts'
import { cacheSharePerPeer, prefixShare } from '../limits.ts'
import type { GaugeReadings } from '../observe/metrics.ts'
import { KvCache } from './kv/kv-cache.ts'
import type { MemoryPlan } from './plan.ts'
import { PrefixStore } from './prefix-store.ts'
import { ResidualCache } from './residual-cache.ts'

export interface StoresInit {
  readonly checkpoint: Pick<Checkpoint, 'config'>
  /** of the KV cache, what the sessions of one peer may hold; default 0.75 */
  readonly cacheSharePerPeer?: number
  /** keep prefixes for sessions that begin alike, in what others leave of the KV cache; default true */
  readonly prefixReuse?: boolean
}

export interface Stores {
  readonly kvCache: KvCache
  /** absent: beginnings of sequences are not kept */
  readonly prefixes?: PrefixStore
  readonly residuals: ResidualCache<KeptPass>
}

/** Empty ones, of the sizes that were planned. */
export function createStores(init: StoresInit, plan: MemoryPlan): Stores {
  const { cacheSharePerPeer: peerShare = cacheSharePerPeer, checkpoint, prefixReuse = true } = init
  const kvCache = new KvCache(plan.kvCacheBytes, { peerShare })
  const residuals = new ResidualCache<KeptPass>({ maxBytes: plan.residualBytes })
  // angles of dynamic rope and longrope, and keys with them, depend on the length of the whole sequence
  if (!prefixReuse || fixedPositions(checkpoint.config.rope) !== undefined) return { kvCache, residuals }
  return { kvCache, residuals, prefixes: new PrefixStore({ kvCache }, { maxBytes: prefixShare * kvCache.maxBytes }) }
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
