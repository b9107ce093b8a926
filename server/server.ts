// A server: hosts a range of blocks, says so, computes for whoever asks, and leaves in order.
import type { Server as HttpServer } from 'node:http'
import { freemem } from 'node:os'
import { SwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import { type BlockRange, formatRange } from '../common/range.ts'
import { GiB, second } from '../common/units.ts'
import { type BlockWeights, blockWeights } from '../model/block-weights.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { AnnouncementFields, ServerState } from '../network/announcement.ts'
import { Announcer, type AnnouncerInit } from '../network/announcer.ts'
import { findServers } from '../network/discovery.ts'
import { createNetwork, type Network } from '../network/node.ts'
import type { WeightStorage } from '../runtime/session.ts'
import type { ServerContext } from './context.ts'
import { SpanExecutor } from './executor.ts'
import { handlers } from './handlers/index.ts'
import { KvCache } from './kv-cache.ts'
import { maxPrograms, maxQueueLength } from './limits.ts'
import { ServerMetrics, serveMetrics } from './metrics.ts'
import { checkRange, chooseWindow } from './placement.ts'
import { Programs } from './programs.ts'
import { ResidualCache } from './residual-cache.ts'
import { Scheduler } from './scheduler.ts'
import { measureThroughput, type Throughput } from './throughput.ts'

export interface ServerInit {
  readonly checkpoint: Checkpoint
  /** exactly these blocks … */
  readonly blocks?: BlockRange
  /** … or so many, where the swarm needs them most; default: all */
  readonly numBlocks?: number
  /** multiaddrs */
  readonly listen?: readonly string[]
  readonly join?: readonly string[]
  readonly identityPath?: string
  /** where blocks that are not float32 are converted to */
  readonly cacheDir: string
  readonly threads?: number
  /** of the decode graph's weights; auto: prepacked where twice their size is free; training graphs are always mapped */
  readonly storage?: WeightStorage | 'auto'
  readonly kvCacheBytes?: number
  readonly residualBytes?: number
  readonly metricsPort?: number
  readonly announcing?: AnnouncerInit
  readonly logger?: Logger
}

/** Checks what can be checked without loading anything; `start()` does the rest. */
export async function createServer(init: ServerInit): Promise<BlockServer> {
  const { checkpoint, blocks } = init
  const { numBlocks } = checkpoint.config
  if (blocks !== undefined) checkRange(blocks, numBlocks)
  if (init.numBlocks !== undefined && init.numBlocks < 1) {
    throw new SwarmError('INVALID_ARGUMENT', `num-blocks: expected 1 to ${numBlocks}, found ${init.numBlocks}`)
  }
  const network = await createNetwork({
    listen: init.listen,
    join: init.join,
    identityPath: init.identityPath,
    logger: init.logger
  })
  return new BlockServer({ network }, init)
}

export class BlockServer {
  readonly #init: ServerInit
  readonly #network: Network
  readonly #announcer: Announcer
  readonly #logger: Logger
  readonly #kvCache: KvCache
  readonly #residuals: ServerContext['residuals']
  readonly #scheduler = new Scheduler(maxQueueLength)
  readonly #metrics: ServerMetrics
  readonly #running = { request: 0, session: 0 }
  #state: ServerState = 'joining'
  #range: BlockRange | undefined
  #weights: BlockWeights | undefined
  #programs: Programs | undefined
  #throughput: Throughput = { forwardRate: 0, decodeRate: 0 }
  #http: HttpServer | undefined
  #idle: (() => void) | undefined
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: { network: Network }, init: ServerInit) {
    this.#init = init
    this.#network = components.network
    this.#logger = init.logger ?? silent
    this.#announcer = new Announcer({ network: components.network, logger: this.#logger }, init.announcing)
    this.#kvCache = new KvCache(init.kvCacheBytes ?? 1 * GiB)
    this.#residuals = new ResidualCache(init.residualBytes ?? 1 * GiB)
    this.#metrics = new ServerMetrics(() => ({
      cacheBytesUsed: this.#kvCache.bytesReserved,
      cacheBytesTotal: this.#kvCache.maxBytes,
      residualBytesUsed: this.#residuals.bytes,
      sessions: this.#running.session,
      queueLength: this.#scheduler.length
    }))
  }

  get peerId(): string {
    return this.#network.peerId
  }

  get addresses(): string[] {
    return this.#network.addresses
  }

  get network(): Network {
    return this.#network
  }

  /** the blocks that it hosts; known once it has started */
  get range(): BlockRange {
    if (this.#range === undefined) throw new SwarmError('INTERNAL', 'the server has no range before it has started')
    return this.#range
  }

  get state(): ServerState {
    return this.#state
  }

  /** bytes of float32 weights that it hosts */
  get weightBytes(): number {
    return this.#weights?.bytes ?? 0
  }

  get throughput(): Throughput {
    return this.#throughput
  }

  get sessions(): number {
    return this.#running.session
  }

  get cacheBytesReserved(): number {
    return this.#kvCache.bytesReserved
  }

  get residualBytes(): number {
    return this.#residuals.bytes
  }

  start(): Promise<void> {
    this.#started ??= this.#start().catch(async error => {
      await this.stop()
      throw error
    })
    return this.#started
  }

  /**
   * Leaves in order: announces it, refuses new requests and sessions, waits for those that run until the deadline, stops.
   * @param options.deadlineMs default half a minute
   */
  async drain(options: { deadlineMs?: number } = {}): Promise<void> {
    if (this.#state === 'online') {
      this.#state = 'draining'
      this.#logger.info({ ...this.#running }, 'draining')
      const told = this.#announcer.update().catch(error => this.#logger.warn({ error }, 'could not announce draining'))
      if (this.#running.request + this.#running.session > 0) {
        const timer = Promise.withResolvers<void>()
        const timeout = setTimeout(timer.resolve, options.deadlineMs ?? 30 * second)
        await Promise.race([new Promise<void>(resolve => (this.#idle = resolve)), timer.promise])
        clearTimeout(timeout)
      }
      await told
    }
    await this.stop()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #start(): Promise<void> {
    const { checkpoint, metricsPort } = this.#init
    if (metricsPort !== undefined) {
      this.#http = await serveMetrics(this.#metrics, metricsPort, () => this.#state === 'online')
    }
    await this.#network.start()
    this.#range = await this.#chooseRange()
    await this.#announcer.start({ describe: () => this.#describe() })

    this.#weights = await blockWeights(checkpoint, this.#range, { cacheDir: this.#init.cacheDir })
    this.#programs = new Programs({
      checkpoint,
      weights: this.#weights,
      threads: this.#init.threads,
      decodeStorage: this.#decodeStorage(this.#weights.bytes),
      maxSessions: maxPrograms
    })
    const executor = new SpanExecutor({ checkpoint, programs: this.#programs })
    this.#throughput = await measureThroughput(checkpoint, executor, this.#range)
    const context = this.#context(executor)
    for (const { protocol, handler, ...row } of Object.values(handlers)) {
      await this.#network.handle(protocol, handler(context), 'options' in row ? row.options : undefined)
    }
    this.#state = 'online'
    await this.#announcer.update()
    this.#logger.info(
      { peerId: this.peerId, blocks: formatRange(this.#range), ...this.#throughput, weightBytes: this.#weights.bytes },
      'online'
    )
  }

  async #stop(): Promise<void> {
    this.#state = 'offline'
    await this.#announcer.stop()
    await this.#network.stop()
    await this.#programs?.close()
    const http = this.#http
    if (http !== undefined) {
      http.closeAllConnections()
      await new Promise(resolve => http.close(resolve))
    }
  }

  async #chooseRange(): Promise<BlockRange> {
    const { blocks, numBlocks, checkpoint } = this.#init
    const total = checkpoint.config.numBlocks
    if (blocks !== undefined) return checkRange(blocks, total)
    if (numBlocks === undefined || numBlocks >= total) return { first: 0, end: total }
    const servers = await findServers(this.#network, checkpoint.identity)
    return chooseWindow(
      total,
      numBlocks,
      servers.map(server => ({
        blocks: { first: server.firstBlock, end: server.endBlock },
        // one that is still joining has not measured itself yet, but it will serve
        throughput: server.forwardRate || 1
      }))
    )
  }

  #decodeStorage(bytes: number): WeightStorage {
    const { storage = 'auto' } = this.#init
    if (storage !== 'auto') return storage
    return freemem() > 2 * bytes ? 'prepacked' : 'mapped'
  }

  #describe(): AnnouncementFields {
    const { checkpoint } = this.#init
    return {
      model: checkpoint.identity,
      modelName: checkpoint.name,
      totalBlocks: checkpoint.config.numBlocks,
      firstBlock: this.range.first,
      endBlock: this.range.end,
      state: this.#state,
      ...this.#throughput,
      cacheBytesFree: this.#kvCache.bytesFree,
      dtype: 'float32'
    }
  }

  #context(executor: SpanExecutor): ServerContext {
    const server = this
    return {
      checkpoint: this.#init.checkpoint,
      range: this.range,
      executor,
      scheduler: this.#scheduler,
      kvCache: this.#kvCache,
      residuals: this.#residuals,
      metrics: this.#metrics,
      logger: this.#logger,
      enter: kind => this.#enter(kind),
      get sessions() {
        return server.#running.session
      },
      announcement: () => this.#network.directory.recordOf(this.peerId) ?? new Uint8Array()
    }
  }

  #enter(kind: 'request' | 'session'): () => void {
    if (this.#state !== 'online') {
      throw new SwarmError('DRAINING', 'this server is leaving: find another (the directory has it)')
    }
    this.#running[kind] += 1
    return () => {
      this.#running[kind] -= 1
      if (this.#running.request + this.#running.session === 0) this.#idle?.()
    }
  }
}
