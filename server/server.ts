// A server: hosts a range of blocks, says so, computes for whoever asks, and leaves in order.
import { messageOf, SwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import { type BlockRange, formatRange, rangeLength } from '../common/range.ts'
import { GiB, second } from '../common/units.ts'
import type { Precision } from '../model/precision.ts'
import type { AnnouncementFields, ServerState } from '../network/announcement.ts'
import { Announcer } from '../network/announcer.ts'
import { findServers } from '../network/discovery.ts'
import { createNetwork, type Network } from '../network/node.ts'
import { Admission } from './admission.ts'
import type { ServerContext } from './context.ts'
import { DecodeEngine } from './engine.ts'
import { handlers } from './handlers/index.ts'
import { KvCache } from './kv/kv-cache.ts'
import {
  cacheSharePerPeer,
  defaultWorkingBytes,
  maxDecodeRows,
  maxPassed,
  maxQueueLength,
  prefixShare
} from './limits.ts'
import { type MemoryPlan, planMemory } from './memory-plan.ts'
import { ServerMetrics } from './metrics.ts'
import { MetricsPage } from './metrics-page.ts'
import { limitRates } from './pace.ts'
import { chooseWindow } from './placement.ts'
import { PrefixReuse } from './prefix-reuse.ts'
import { PrefixStore } from './prefix-store.ts'
import { type Movable, placedServers, Rebalancer } from './rebalancer.ts'
import { ResidualCache } from './residual-cache.ts'
import { Scheduler } from './scheduler.ts'
import { checkBlocks, choosePrecision, prepackedBytes, type ServerInit } from './server-init.ts'
import { SessionRegistry } from './session-registry.ts'
import { type HostedSpan, loadSpan, pieceTokensOf, type SpanInit } from './span.ts'
import type { Throughput } from './throughput.ts'
import { Vitals } from './vitals.ts'

export type { ServerInit } from './server-init.ts'

/**
 * Checks what can be checked without loading anything; `start()` does the rest.
 * @throws SwarmError INVALID_ARGUMENT for blocks that the model does not have or the memory has no room for, addresses that are none
 */
export async function createServer(init: ServerInit): Promise<BlockServer> {
  checkBlocks(init)
  const plan = planMemory(init, process.availableMemory())
  return new BlockServer({ network: await createNetwork(init) }, init, plan)
}

export class BlockServer {
  readonly network: Network
  readonly #init: ServerInit
  readonly #announcer: Announcer
  readonly #logger: Logger
  readonly #kvCache: KvCache
  readonly #prefixes: PrefixStore | undefined
  readonly #residuals: ServerContext['residuals']
  readonly #plan: MemoryPlan
  readonly #scheduler: Scheduler
  readonly #vitals: Vitals
  readonly #rebalancer: Rebalancer | undefined
  readonly #metrics: ServerMetrics
  readonly #page: MetricsPage | undefined
  readonly #admission = new Admission()
  readonly #stopping = new AbortController()
  #state: ServerState = 'joining'
  #range: BlockRange | undefined
  #span: HostedSpan | undefined
  #engine: DecodeEngine | undefined
  /** of the blocks' matrices; known once it has started */
  precision: Precision = 'float32'
  #throughput: Throughput = { forwardRate: 0, decodeRate: 0 }
  /** the door is closed, or it is about to be, for a while only */
  #moving = false
  #relocating: Promise<boolean> = Promise.resolve(false)
  #starting: Promise<void> | undefined
  #started: Promise<void> | undefined
  #drained: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: { network: Network }, init: ServerInit, plan = planMemory(init, process.availableMemory())) {
    this.#init = init
    this.#plan = plan
    const { maxRate, memoryBytes } = init
    this.#scheduler = new Scheduler({ maxLength: maxQueueLength, maxPassed, maxRows: maxDecodeRows, maxRate })
    this.network = components.network
    this.#logger = init.logger ?? silent
    this.#announcer = new Announcer({ network: components.network, logger: this.#logger }, init.announcing)
    const unlimited = memoryBytes === undefined
    const { cacheSharePerPeer: peerShare = cacheSharePerPeer } = init
    this.#kvCache = new KvCache(init.kvCacheBytes ?? (unlimited ? 1 * GiB : plan.kvCacheBytes), { peerShare })
    // angles of dynamic rope, and keys with them, depend on the length of the whole sequence
    if (init.prefixReuse !== false && init.checkpoint.config.rope?.type !== 'dynamic') {
      const { maxBytes } = this.#kvCache
      this.#prefixes = new PrefixStore({ kvCache: this.#kvCache }, { maxBytes: prefixShare * maxBytes })
    }
    this.#residuals = new ResidualCache({ maxBytes: init.residualBytes ?? (unlimited ? 1 * GiB : plan.residualBytes) })
    const { network } = components
    const announce = () => this.#announcer.update()
    this.#vitals = new Vitals({ network, scheduler: this.#scheduler, logger: this.#logger, announce }, init.vitals)
    this.#metrics = new ServerMetrics(() => ({
      cacheBytesUsed: this.#kvCache.bytesUsed,
      cacheBytesTotal: this.#kvCache.maxBytes,
      prefixBytesUsed: this.#prefixes?.bytes ?? 0,
      residualBytesUsed: this.#residuals.bytes,
      residualBytesTotal: this.#residuals.maxBytes,
      sessions: this.sessions,
      queueLength: this.#scheduler.length,
      programs: this.#span?.programs.size ?? 0
    }))
    if (init.metricsPort !== undefined) {
      const page = { port: init.metricsPort, healthy: () => this.#state === 'online' }
      this.#page = new MetricsPage({ metrics: this.#metrics }, page)
    }
    if (init.rebalancing !== undefined && init.blocks === undefined) {
      this.#rebalancer = new Rebalancer({ server: this.#movable(), logger: this.#logger }, init.rebalancing)
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
    return this.#span?.weights.bytes ?? 0
  }

  /** budget of keys and values */
  get cacheBytesTotal(): number {
    return this.#kvCache.maxBytes
  }

  /** how its memory is divided, for people */
  get memoryPlan(): string {
    return this.#plan.why
  }

  /** how often it has moved to other blocks */
  get moves(): number {
    return this.#rebalancer?.moves ?? 0
  }

  /** what it announces, under the limit of its operator */
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

  /** Keeps its blocks, but serves nobody until `resume`: sessions are handed over, those that cannot be finish. */
  async pause(): Promise<void> {
    if (this.#state !== 'online' || this.#moving) return
    this.#state = 'paused'
    void this.#admission.close()
    this.#logger.info({ ...this.#admission.inside }, 'paused')
    await this.#announcer.update()
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#state = 'online'
    this.#admission.reopen()
    this.#logger.info({}, 'resumed')
    await this.#announcer.update()
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
    await this.#page?.start()
    if (this.#page) this.#metrics.watchProcess()
    await this.network.start()
    signal.throwIfAborted()
    const range = await this.#chooseRange(signal)
    this.#range = range
    await this.#announcer.start({ describe: () => this.#describe() })
    signal.throwIfAborted()

    await this.#load(range, signal)
    const context = this.#context()
    for (const { protocol, handler, options } of Object.values(handlers)) {
      await this.network.handle(protocol, handler(context), options(context))
    }
    this.network.onPeerGone(peer => this.#residuals.forget(peer))
    signal.throwIfAborted()
    this.#state = 'online'
    this.#admission.open()
    await this.#announcer.update()
    void this.#rebalancer?.run(this.#stopping.signal)
    const { identity: model } = this.#init.checkpoint
    const about = () => (this.#state === 'online' ? { model, range: this.range } : undefined)
    void this.#vitals.run(about, this.#stopping.signal)
    const { forwardRate, decodeRate } = this.#throughput
    const rates = { forwardRate: Math.round(forwardRate), decodeRate: Math.round(decodeRate) }
    this.#logger.info(
      { peerId: this.peerId, blocks: formatRange(range), weightBytes: this.weightBytes, ...rates },
      'online'
    )
  }

  async #drain(deadlineMs: number): Promise<void> {
    if (this.#state === 'online' || this.#state === 'paused' || this.#moving) {
      this.#state = 'draining'
      this.#logger.info({ ...this.#admission.inside, deadlineMs }, 'draining')
      const told = this.#announcer.update().catch(error => {
        this.#logger.warn({ reason: messageOf(error) }, 'the swarm could not be told that this server is leaving')
      })
      await this.#within(deadlineMs, Promise.all([this.#admission.close(), told]))
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
    await this.#relocating.catch(error => this.#logger.debug({ reason: messageOf(error) }, 'stops while it moves'))
    await this.#span?.programs.close()
    this.#residuals.clear()
    await this.#page?.stop()
    this.#logger.info({ peerId: this.peerId }, 'stopped')
  }

  async #chooseRange(signal: AbortSignal): Promise<BlockRange> {
    const { blocks, checkpoint } = this.#init
    const { numBlocks } = this.#plan
    const total = checkpoint.config.numBlocks
    if (blocks !== undefined) return blocks
    if (numBlocks >= total) return { first: 0, end: total }
    if (this.#rebalancer !== undefined) await this.#measure(signal)
    const servers = await this.#others(signal)
    return chooseWindow(
      total,
      numBlocks,
      placedServers(servers, server => server.state === 'draining')
    )
  }

  #others(signal: AbortSignal) {
    return findServers(this.network, this.#init.checkpoint.identity, { signal })
  }

  /** How fast this machine is, by one block: others count with it from the moment that a place is chosen. */
  async #measure(signal: AbortSignal): Promise<void> {
    const range = { first: 0, end: 1 }
    const { programs, throughput } = await loadSpan(this.#spanInit(range), range, signal)
    await programs.close()
    this.#throughput = limitRates(throughput, this.#plan.numBlocks, this.#init.maxRate ?? {})
  }

  #spanInit(range: BlockRange): SpanInit {
    const { checkpoint, cacheDir, threads, storage, memoryBytes, blocks, numBlocks } = this.#init
    const isPlanned = memoryBytes !== undefined || (blocks === undefined && numBlocks === undefined)
    const { precision, prepackedBytes: most = Infinity } = this.#plan
    this.precision = isPlanned ? precision : choosePrecision(this.#init, range, process.availableMemory())
    return {
      ...{ checkpoint, cacheDir, threads, precision: this.precision },
      prepackedBytes: bytes => Math.min(most, prepackedBytes(storage, bytes, process.availableMemory()))
    }
  }

  async #load(range: BlockRange, signal: AbortSignal): Promise<void> {
    const { checkpoint, maxRate = {} } = this.#init
    this.#logger.info({ model: checkpoint.name, blocks: formatRange(range) }, 'loading')
    this.#span = await loadSpan(this.#spanInit(range), range, signal)
    this.#range = range
    this.#throughput = limitRates(this.#span.throughput, rangeLength(range), maxRate)
    const prefixes = this.#prefixes && new PrefixReuse({ store: this.#prefixes, metrics: this.#metrics })
    this.#engine = new DecodeEngine(
      { decoder: this.#span.decoder, scheduler: this.#scheduler, kvCache: this.#kvCache, prefixes },
      { pieceTokens: pieceTokensOf(this.#span) }
    )
  }

  #movable(): Movable {
    const server = this
    return {
      get peerId() {
        return server.peerId
      },
      totalBlocks: this.#init.checkpoint.config.numBlocks,
      get own() {
        return { blocks: server.range, throughput: server.#throughput.forwardRate || 1 }
      },
      get isSettled() {
        return server.#state === 'online' || server.#moving
      },
      findServers: signal => server.#others(signal),
      tell: async state => {
        if (server.#state !== 'online' && !server.#moving) return
        server.#moving = state === 'draining'
        server.#state = state
        await server.#announcer.update()
      },
      relocate: (blocks, options) => {
        server.#relocating = server.#relocate(blocks, options)
        return server.#relocating
      }
    }
  }

  async #relocate(blocks: BlockRange, { drainMs, isWanted }: Parameters<Movable['relocate']>[1]): Promise<boolean> {
    const { signal } = this.#stopping
    const left = this.#admission.close()
    await this.#within(drainMs, left)
    try {
      if (signal.aborted || this.#drained !== undefined || !(await isWanted())) return false
      this.#admission.evict()
      await left
      // work of those who were sent away goes to its end
      await this.#scheduler.between(() => {})
      await this.#span?.programs.close()
      this.#span = undefined
      this.#residuals.clear()
      this.#range = blocks
      this.#state = 'joining'
      await this.#announcer.update()
      await this.#load(blocks, signal)
      return true
    } finally {
      this.#moving = false
      if (!signal.aborted && this.#drained === undefined) {
        if (this.#span !== undefined) {
          this.#state = 'online'
          this.#admission.reopen()
          await this.#announcer.update()
        } else {
          // without blocks it is of no use to anybody
          this.#logger.error({ blocks: formatRange(blocks) }, 'blocks could not be loaded: leaves')
          void this.stop()
        }
      }
    }
  }

  /** Waits for something, but not longer than this, nor when the server stops. */
  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(over.resolve, ms)
    this.#stopping.signal.addEventListener('abort', () => over.resolve(), { once: true })
    await Promise.race([work, over.promise])
    clearTimeout(timer)
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
      ...this.#vitals.describe(),
      dtype: this.precision
    }
  }

  #context(): ServerContext {
    const server = this
    const { memoryBytes, workingBytes, checkpoint } = this.#init
    const unlimited = Math.min(defaultWorkingBytes, process.availableMemory() / 2)
    return {
      get executor() {
        return server.#span!.executor
      },
      get engine() {
        return server.#engine!
      },
      get range() {
        return server.range
      },
      get forwardRate() {
        return server.#span!.throughput.forwardRate
      },
      get evicted() {
        return server.#admission.evicted
      },
      checkpoint,
      workingBytes: workingBytes ?? (memoryBytes === undefined ? unlimited : this.#plan.workingBytes),
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
