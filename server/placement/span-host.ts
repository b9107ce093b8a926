// Manages the blocks that a server hosts: chooses them by the swarm's need, loads, measures and replaces them.
import { SwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { OnProgress } from '../../common/progress.ts'
import { type BlockRange, formatRange, rangeLength } from '../../common/range.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import type { Announcement } from '../../network/discovery/announcement.ts'
import { PrefixReuse } from '../compute/prefix-reuse.ts'
import { type HostedSpan, loadSpan, pieceTokensOf, type SpanInit } from '../compute/span.ts'
import type { Throughput } from '../compute/throughput.ts'
import { type MemoryInit, type MemoryPlan, planLoaded } from '../memory/plan.ts'
import type { Stores } from '../memory/stores.ts'
import type { ServerMetrics } from '../observe/metrics.ts'
import { limitRates, type MaxRate } from '../schedule/rate-limit.ts'
import type { Scheduler } from '../schedule/scheduler.ts'
import { DecodeEngine } from '../sessions/engine.ts'
import { chooseWindow } from './placement.ts'
import { placedServers, type RebalancerInit } from './rebalancer.ts'

export interface SpanHostComponents {
  readonly scheduler: Scheduler
  readonly stores: Pick<Stores, 'kvCache' | 'prefixes'>
  readonly metrics: ServerMetrics
  readonly logger: Logger
  /** the model's servers as announced now */
  findServers(signal: AbortSignal): Promise<readonly Announcement[]>
}

export interface SpanHostInit extends MemoryInit {
  /** folder for converted blocks (other than float32) */
  readonly cacheDir: string
  readonly threads?: number
  /** rate limit of this server */
  readonly maxRate?: MaxRate
  /** move to blocks that the swarm needs more; not with fixed blocks. Default: false */
  readonly rebalancing?: RebalancerInit
  /** hears of the stages `connect`, `convert`, `quantize` and `measure`, also when the server moves to other blocks */
  readonly onProgress?: OnProgress
}

export class SpanHost {
  readonly #components: SpanHostComponents
  readonly #init: SpanHostInit
  readonly #plan: MemoryPlan
  /** the memory plan with the loaded weights */
  #memory: MemoryPlan
  #range: BlockRange | undefined
  #span: HostedSpan | undefined
  #engine: DecodeEngine | undefined
  #throughput: Throughput = { forwardRate: 0, decodeRate: 0 }

  constructor(components: SpanHostComponents, init: SpanHostInit, plan: MemoryPlan) {
    this.#components = components
    this.#init = init
    this.#plan = plan
    this.#memory = plan
  }

  /** The blocks that are hosted, or will be. Throws INTERNAL before they are chosen. */
  get range(): BlockRange {
    if (this.#range === undefined) throw new SwarmError('INTERNAL', 'the server has no blocks before it is started')
    return this.#range
  }

  /** of the model */
  get totalBlocks(): number {
    return this.#init.checkpoint.config.numBlocks
  }

  /** the loaded blocks; undefined before the first load and during a move */
  get span(): HostedSpan | undefined {
    return this.#span
  }

  /** over the span that was loaded last */
  get engine(): DecodeEngine | undefined {
    return this.#engine
  }

  /** of the blocks' matrices */
  get precision(): Precision {
    return this.#plan.precision
  }

  /** how memory is divided: with the real bytes of the weights once they are loaded */
  get memory(): MemoryPlan {
    return this.#memory
  }

  /** for announcements: as measured, under the limit of the operator */
  get throughput(): Throughput {
    return this.#throughput
  }

  /** Chooses the blocks for `load`: the requested ones, or the weakest ones of the swarm. */
  async choose(signal: AbortSignal): Promise<void> {
    const { blocks, rebalancing } = this.#init
    const { numBlocks } = this.#plan
    const { totalBlocks } = this
    if (blocks !== undefined || numBlocks >= totalBlocks) {
      this.#range = blocks ?? { first: 0, end: totalBlocks }
      return
    }
    if (rebalancing !== undefined) await this.#measure(signal)
    const servers = await this.#components.findServers(signal)
    const staying = placedServers(servers, server => server.state === 'draining')
    this.#range = chooseWindow(totalBlocks, numBlocks, staying, Math.random)
  }

  /** Loads and measures the blocks that were chosen. */
  async load(signal: AbortSignal): Promise<void> {
    const { checkpoint, maxRate = {} } = this.#init
    const { logger, scheduler, metrics, stores } = this.#components
    const { range } = this
    logger.info({ model: checkpoint.name, blocks: formatRange(range) }, 'loading')
    const prepackedBytes = (weightBytes: number): number => {
      this.#memory = this.#planLoaded(weightBytes)
      return this.#memory.prepackedBytes
    }
    this.#span = await loadSpan({ ...this.#spanInit(), prepackedBytes }, range, signal)
    this.#throughput = limitRates(this.#span.throughput, rangeLength(range), maxRate)
    const { kvCache } = stores
    const prefixes = stores.prefixes && new PrefixReuse({ store: stores.prefixes, metrics })
    const components = { decoder: this.#span.decoder, scheduler, kvCache, prefixes }
    this.#engine = new DecodeEngine(components, { pieceTokens: pieceTokensOf(this.#span) })
  }

  /** Releases the blocks and chooses others, which `load` loads. */
  async leaveFor(blocks: BlockRange): Promise<void> {
    await this.close()
    this.#span = undefined
    this.#range = blocks
  }

  /** Releases what is loaded. */
  async close(): Promise<void> {
    await this.#span?.programs.close()
  }

  /** The speed of this machine, measured with one block: announced from the moment the blocks are chosen. */
  async #measure(signal: AbortSignal): Promise<void> {
    const range = { first: 0, end: 1 }
    const { programs, throughput } = await loadSpan(this.#spanInit(), range, signal)
    await programs.close()
    this.#throughput = limitRates(throughput, this.#plan.numBlocks, this.#init.maxRate ?? {})
  }

  #spanInit(): SpanInit {
    const { checkpoint, cacheDir, threads, onProgress } = this.#init
    const { logger } = this.#components
    return {
      checkpoint,
      cacheDir,
      threads,
      precision: this.precision,
      onProgress,
      onRemoved: paths =>
        logger.info({ paths }, 'removed unused cached conversions of earlier builds or other machines'),
      prepackedBytes: weightBytes => this.#planLoaded(weightBytes).prepackedBytes
    }
  }

  #planLoaded(weightBytes: number): MemoryPlan {
    return planLoaded(this.#plan, this.#init, { weightBytes, available: process.availableMemory() })
  }
}
