// A server: hosts a range of blocks, says so, computes for whoever asks, and leaves in order.
import { messageOf, SwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import { type BlockRange, formatRange, rangeLength } from '../common/range.ts'
import { GiB, second } from '../common/units.ts'
import { type BlockWeights, blockWeights } from '../model/block-weights.ts'
import type { Precision } from '../model/precision.ts'
import type { AnnouncementFields, ServerState } from '../network/announcement.ts'
import { Announcer } from '../network/announcer.ts'
import { findServers } from '../network/discovery.ts'
import { createNetwork, type Network } from '../network/node.ts'
import { Admission } from './admission.ts'
import type { ServerContext } from './context.ts'
import { SpanDecoder } from './decoder.ts'
import { DecodeEngine } from './engine.ts'
import { SpanExecutor } from './executor.ts'
import { handlers } from './handlers/index.ts'
import { KvCache } from './kv/kv-cache.ts'
import {
  defaultWorkingBytes,
  maxDecodeRows,
  maxPassed,
  maxPieceTokens,
  maxPrograms,
  maxQueueLength,
  minPieceTokens,
  pieceMs,
  prefixShare
} from './limits.ts'
import { ServerMetrics } from './metrics.ts'
import { MetricsPage } from './metrics-page.ts'
import { chooseWindow } from './placement.ts'
import { PrefixReuse } from './prefix-reuse.ts'
import { PrefixStore } from './prefix-store.ts'
import { Programs } from './programs.ts'
import { ResidualCache } from './residual-cache.ts'
import { RotaryTables } from './rotary.ts'
import { Scheduler } from './scheduler.ts'
import { checkBlocks, choosePrecision, prepackedBytes, type ServerInit } from './server-init.ts'
import { SessionRegistry } from './session-registry.ts'
import { measureThroughput, type Throughput } from './throughput.ts'

export type { ServerInit } from './server-init.ts'

/**
 * Checks what can be checked without loading anything; `start()` does the rest.
 * @throws SwarmError INVALID_ARGUMENT for blocks that the model does not have, addresses that are none
 */
export async function createServer(init: ServerInit): Promise<BlockServer> {
  checkBlocks(init)
  return new BlockServer({ network: await createNetwork(init) }, init)
}

export class BlockServer {
  readonly network: Network
  readonly #init: ServerInit
  readonly #announcer: Announcer
  readonly #logger: Logger
  readonly #kvCache: KvCache
  readonly #prefixes: PrefixStore | undefined
  readonly #residuals: ServerContext['residuals']
  readonly #scheduler = new Scheduler({ maxLength: maxQueueLength, maxPassed, maxRows: maxDecodeRows })
  readonly #metrics: ServerMetrics
  readonly #page: MetricsPage | undefined
  readonly #admission = new Admission()
  readonly #stopping = new AbortController()
  #state: ServerState = 'joining'
  #range: BlockRange | undefined
  #weights: BlockWeights | undefined
  /** of the blocks' matrices; known once it has started */
  precision: Precision = 'float32'
  #programs: Programs | undefined
  #throughput: Throughput = { forwardRate: 0, decodeRate: 0 }
  #starting: Promise<void> | undefined
  #started: Promise<void> | undefined
  #drained: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: { network: Network }, init: ServerInit) {
    this.#init = init
    this.network = components.network
    this.#logger = init.logger ?? silent
    this.#announcer = new Announcer({ network: components.network, logger: this.#logger }, init.announcing)
    this.#kvCache = new KvCache(init.kvCacheBytes ?? 1 * GiB)
    // angles of dynamic rope, and keys with them, depend on the length of the whole sequence
    if (init.prefixReuse !== false && init.checkpoint.config.rope?.type !== 'dynamic') {
      const { maxBytes } = this.#kvCache
      this.#prefixes = new PrefixStore({ kvCache: this.#kvCache }, { maxBytes: prefixShare * maxBytes })
    }
    this.#residuals = new ResidualCache({ maxBytes: init.residualBytes ?? 1 * GiB })
    this.#metrics = new ServerMetrics(() => ({
      cacheBytesUsed: this.#kvCache.bytesUsed,
      cacheBytesTotal: this.#kvCache.maxBytes,
      prefixBytesUsed: this.#prefixes?.bytes ?? 0,
      residualBytesUsed: this.#residuals.bytes,
      residualBytesTotal: this.#residuals.maxBytes,
      sessions: this.sessions,
      queueLength: this.#scheduler.length,
      programs: this.#programs?.size ?? 0
    }))
    if (init.metricsPort !== undefined) {
      const page = { port: init.metricsPort, healthy: () => this.#state === 'online' }
      this.#page = new MetricsPage({ metrics: this.#metrics }, page)
    }
  }

  get peerId(): string {
    return this.network.peerId
  }

  /** multiaddrs at which others reach it */
  get addresses(): string[] {
    return this.network.addresses
  }

  /** the blocks that it hosts; known once it has started */
  get range(): BlockRange {
    if (this.#range === undefined) throw new SwarmError('INTERNAL', 'the server has no range before it has started')
    return this.#range
  }

  get state(): ServerState {
    return this.#state
  }

  /** bytes of weights that it hosts */
  get weightBytes(): number {
    return this.#weights?.bytes ?? 0
  }

  get throughput(): Throughput {
    return this.#throughput
  }

  /** inference sessions that are open */
  get sessions(): number {
    return this.#admission.inside.session
  }

  get cacheBytesUsed(): number {
    return this.#kvCache.bytesUsed
  }

  /** of beginnings of sequences, kept as long as no session needs the memory */
  get prefixBytes(): number {
    return this.#prefixes?.bytes ?? 0
  }

  get residualBytes(): number {
    return this.#residuals.bytes
  }

  /** TCP port of the metrics page, 0 without one */
  get metricsPort(): number {
    return this.#page?.port ?? 0
  }

  /**
   * Joins the swarm, chooses its blocks, loads them, measures itself, serves. What was begun is undone where a step fails.
   * @throws SwarmError ADDRESS_IN_USE, UNREACHABLE when no address to join answers, BAD_CHECKPOINT, ABORTED when stopped meanwhile
   */
  start(): Promise<void> {
    this.#started ??= this.#begin()
    return this.#started
  }

  /**
   * Leaves in order: announces it, refuses new requests and sessions, waits for those that run until the deadline, stops.
   * @param options.deadlineMs default half a minute
   */
  drain(options: { deadlineMs?: number } = {}): Promise<void> {
    this.#drained ??= this.#drain(options.deadlineMs ?? 30 * second)
    return this.#drained
  }

  /** Leaves at once. Never throws for a start that failed. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #begin(): Promise<void> {
    this.#starting = this.#start(this.#stopping.signal)
    try {
      await this.#starting
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { checkpoint, cacheDir, threads } = this.#init
    await this.#page?.start()
    if (this.#page) this.#metrics.watchProcess()
    await this.network.start()
    signal.throwIfAborted()
    const range = await this.#chooseRange(signal)
    this.#range = range
    this.precision = choosePrecision(this.#init, range, process.availableMemory())
    await this.#announcer.start({ describe: () => this.#describe() })
    signal.throwIfAborted()

    this.#logger.info({ model: checkpoint.name, blocks: formatRange(range) }, 'loading')
    const weights = await blockWeights(checkpoint, range, { cacheDir, precision: this.precision, signal })
    this.#weights = weights
    const programs = new Programs({
      checkpoint,
      range,
      weights,
      precision: this.precision,
      threads,
      prepackedBytes: prepackedBytes(this.#init.storage, weights.bytes, process.availableMemory()),
      maxSessions: maxPrograms
    })
    this.#programs = programs
    const components = { programs, rotary: new RotaryTables(checkpoint) }
    const engines = { executor: new SpanExecutor(components), decoder: new SpanDecoder(components) }
    this.#throughput = await measureThroughput({ config: checkpoint.config, ...engines }, range, { signal })

    const context = this.#context(engines.executor, this.#engine(engines.decoder))
    for (const { protocol, handler, options } of Object.values(handlers)) {
      await this.network.handle(protocol, handler(context), options(context))
    }
    this.network.onPeerGone(peer => this.#residuals.forget(peer))
    signal.throwIfAborted()
    this.#state = 'online'
    this.#admission.open()
    await this.#announcer.update()
    const { forwardRate, decodeRate } = this.#throughput
    const rates = { forwardRate: Math.round(forwardRate), decodeRate: Math.round(decodeRate) }
    this.#logger.info(
      { peerId: this.peerId, blocks: formatRange(range), weightBytes: weights.bytes, ...rates },
      'online'
    )
  }

  async #drain(deadlineMs: number): Promise<void> {
    if (this.#state === 'online') {
      this.#state = 'draining'
      this.#logger.info({ ...this.#admission.inside, deadlineMs }, 'draining')
      const told = this.#announcer.update().catch(error => {
        this.#logger.warn({ reason: messageOf(error) }, 'the swarm could not be told that this server is leaving')
      })
      const over = Promise.withResolvers<void>()
      const timer = setTimeout(over.resolve, deadlineMs)
      this.#stopping.signal.addEventListener('abort', () => over.resolve(), { once: true })
      await Promise.race([Promise.all([this.#admission.close(), told]), over.promise])
      clearTimeout(timer)
    }
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#state = 'offline'
    this.#stopping.abort(new SwarmError('ABORTED', 'the server stops'))
    await this.#announcer.stop()
    await this.network.stop()
    // half a start must come to its end first; its error is for whoever called start
    await this.#starting?.catch(error => this.#logger.debug({ reason: messageOf(error) }, 'stops half started'))
    await this.#programs?.close()
    this.#residuals.clear()
    await this.#page?.stop()
    this.#logger.info({ peerId: this.peerId }, 'stopped')
  }

  async #chooseRange(signal: AbortSignal): Promise<BlockRange> {
    const { blocks, numBlocks, checkpoint } = this.#init
    const total = checkpoint.config.numBlocks
    if (blocks !== undefined) return blocks
    if (numBlocks === undefined || numBlocks >= total) return { first: 0, end: total }
    const servers = await findServers(this.network, checkpoint.identity, { signal })
    const placed = servers
      .filter(server => server.state !== 'draining')
      .map(server => ({
        blocks: { first: server.firstBlock, end: server.endBlock },
        // one that is still joining has not measured itself yet, but it will serve
        throughput: server.forwardRate || 1
      }))
    return chooseWindow(total, numBlocks, placed)
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
      queueMs: Math.max(this.#scheduler.waitMs('decode'), this.#scheduler.waitMs('prefill')),
      trainingQueueMs: this.#scheduler.waitMs('training'),
      trips: [],
      dtype: this.precision
    }
  }

  /** Pieces of prompts as long as this machine computes in the time that others may wait. */
  #engine(decoder: SpanDecoder): DecodeEngine {
    const perSecond = this.#throughput.forwardRate / rangeLength(this.range)
    const tokens = Math.round((perSecond * pieceMs) / second)
    const pieceTokens = Math.min(Math.max(tokens, minPieceTokens), maxPieceTokens)
    const metrics = this.#metrics
    const prefixes = this.#prefixes && new PrefixReuse({ store: this.#prefixes, metrics })
    return new DecodeEngine({ decoder, scheduler: this.#scheduler, kvCache: this.#kvCache, prefixes }, { pieceTokens })
  }

  #context(executor: SpanExecutor, engine: DecodeEngine): ServerContext {
    const server = this
    return {
      executor,
      engine,
      checkpoint: this.#init.checkpoint,
      range: this.range,
      workingBytes: this.#init.workingBytes ?? Math.min(defaultWorkingBytes, process.availableMemory() / 2),
      scheduler: this.#scheduler,
      kvCache: this.#kvCache,
      residuals: this.#residuals,
      metrics: this.#metrics,
      logger: this.#logger,
      network: this.network,
      registry: new SessionRegistry(),
      enter: visit => this.#admission.enter(visit),
      onDraining: (listener, signal) => this.#admission.onClosed(listener, signal),
      get sessions() {
        return server.sessions
      },
      announcement: () => this.network.directory.recordOf(this.peerId) ?? new Uint8Array()
    }
  }
}
