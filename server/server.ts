// A server: hosts a range of blocks, announces it, computes requests of peers, and leaves in order.

import { availableParallelism } from 'node:os'
import { within } from '../common/async.ts'
import { messageOf, SwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import { pickOptions } from '../common/options.ts'
import { plural } from '../common/plural.ts'
import { runStage } from '../common/progress.ts'
import { type BlockRange, formatRange } from '../common/range.ts'
import { second } from '../common/units.ts'
import { stackNamed } from '../model/config/config.ts'
import type { Precision } from '../model/quantize/precision.ts'
import type { AnnouncementFields, ServerState } from '../network/discovery/announcement.ts'
import { Announcer } from '../network/discovery/announcer.ts'
import { findServers } from '../network/discovery/discovery.ts'
import { strayErrors } from '../network/libp2p/stray-errors.ts'
import { type NetworkInit, networkKeys } from '../network/network.ts'
import { createNetwork, type Network } from '../network/node.ts'
import { collectGarbage } from '../runtime/garbage.ts'
import type { Throughput } from './compute/throughput.ts'
import { createContext } from './context.ts'
import { handlers } from './handlers/index.ts'
import { checkBlocks, checkServerInit, type ServerInit } from './init.ts'
import { maxDecodeRows, maxPassed, maxQueueLength } from './limits.ts'
import { type MemoryPlan, memoryParts, planMemory } from './memory/plan.ts'
import { MemoryPressure } from './memory/pressure.ts'
import { createStores, readingsOf, type Stores } from './memory/stores.ts'
import type { Activity } from './observe/activity.ts'
import { ServerMetrics } from './observe/metrics.ts'
import { MetricsPage } from './observe/metrics-page.ts'
import { LoadReporter } from './placement/load-report.ts'
import { Rebalancer } from './placement/rebalancer.ts'
import { Relocation } from './placement/relocation.ts'
import { SpanHost } from './placement/span-host.ts'
import { AnnouncedState } from './placement/state.ts'
import { Admission } from './schedule/admission.ts'
import { Scheduler } from './schedule/scheduler.ts'

export type { ServerInit } from './init.ts'

/**
 * Checks the options without loading anything; `start()` does the rest. @throws SwarmError INVALID_ARGUMENT for blocks
 * that the model does not have or that do not fit into memory, and for invalid addresses
 */
export async function createServer(init: ServerInit): Promise<BlockServer> {
  checkServerInit(init)
  checkBlocks(init)
  const plan = planMemory(init, process.availableMemory())
  const { peerBytes, maxConnections } = plan
  const network = { ...pickOptions<NetworkInit>(init, networkKeys), peerBytes, maxConnections }
  return new BlockServer({ network: await createNetwork(network) }, init, plan)
}

export class BlockServer {
  readonly network: Network
  readonly #init: ServerInit
  readonly #plan: MemoryPlan
  readonly #logger: Logger
  readonly #announcedState: AnnouncedState
  readonly #scheduler: Scheduler
  readonly #stores: Stores
  readonly #host: SpanHost
  readonly #loadReporter: LoadReporter
  readonly #relocation: Relocation
  readonly #rebalancer: Rebalancer | undefined
  readonly #metrics: ServerMetrics
  readonly #page: MetricsPage | undefined
  readonly #admission = new Admission()
  readonly #stopping = new AbortController()
  #starting: Promise<void> | undefined
  #started: Promise<void> | undefined
  #drained: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(components: { network: Network }, init: ServerInit, plan = planMemory(init, process.availableMemory())) {
    const { network } = components
    const { checkpoint, maxRate, logger = silent } = init
    this.network = network
    this.#init = init
    this.#plan = plan
    this.#logger = logger
    this.#announcedState = new AnnouncedState({ announcer: new Announcer({ network, logger }, init.announcing) })
    this.#scheduler = new Scheduler({ maxLength: maxQueueLength, maxPassed, maxRows: maxDecodeRows, maxRate })
    this.#stores = createStores(plan, stackNamed(checkpoint.config, 'encoder') !== undefined)
    this.#metrics = new ServerMetrics(
      () => ({
        ...readingsOf(this.#stores),
        sessions: this.sessions,
        queueLength: this.#scheduler.length,
        programs: this.#host.span?.programs.size ?? 0,
        strayErrors: strayErrors.count
      }),
      () => memoryParts(this.memory)
    )
    const findOthers = (signal: AbortSignal) => findServers(network, checkpoint.identity, { signal })
    const shared = { network, scheduler: this.#scheduler, logger, findServers: findOthers }
    this.#host = new SpanHost({ ...shared, stores: this.#stores, metrics: this.#metrics }, init, plan)
    const announce = () => this.#announcedState.refresh()
    this.#loadReporter = new LoadReporter({ network, scheduler: this.#scheduler, logger, announce }, init.loadReporter)
    const { residuals } = this.#stores
    this.#relocation = new Relocation(
      { ...shared, host: this.#host, announcedState: this.#announcedState, admission: this.#admission, residuals },
      { stopping: this.#stopping.signal, onFailure: () => void this.stop() }
    )
    if (init.rebalancing !== undefined && init.blocks === undefined) {
      this.#rebalancer = new Rebalancer({ server: this.#relocation, logger }, init.rebalancing)
    }
    if (init.metricsPort !== undefined) {
      const page = { port: init.metricsPort, healthy: () => this.state === 'online' }
      this.#page = new MetricsPage({ metrics: this.#metrics }, page)
    }
  }

  get peerId(): string {
    return this.network.peerId
  }

  /** multiaddrs at which peers reach it */
  get addresses(): string[] {
    return this.network.addresses
  }

  /** the blocks that it hosts; known once it has started */
  get range(): BlockRange {
    return this.#host.range
  }

  get state(): ServerState {
    return this.#announcedState.state
  }

  /** of the blocks' matrices; known once it has started */
  get precision(): Precision {
    return this.#host.precision
  }

  /** bytes of weights that it hosts */
  get weightBytes(): number {
    return this.#host.span?.weights.bytes ?? 0
  }

  /** budget of keys and values */
  get cacheBytesTotal(): number {
    return this.#stores.kvCache.maxBytes
  }

  /** how its memory is divided, with the real bytes of the weights once it has started */
  get memory(): MemoryPlan {
    return this.#host.memory
  }

  /** how often it has moved to other blocks */
  get moves(): number {
    return this.#rebalancer?.moves ?? 0
  }

  /** its announced rates, under the operator's limit */
  get throughput(): Throughput {
    return this.#host.throughput
  }

  /** counters of its work */
  get activity(): Pick<Activity, 'totals' | 'peersWithin'> {
    return this.#metrics.activity
  }

  /** inference sessions that are open */
  get sessions(): number {
    return this.#admission.inside.session
  }

  get cacheBytesUsed(): number {
    return this.#stores.kvCache.bytesUsed
  }

  /** of prefixes, cached as long as no session needs the memory */
  get prefixBytes(): number {
    return this.#stores.prefixes?.bytes ?? 0
  }

  get residualBytes(): number {
    return this.#stores.residuals.bytes
  }

  /** TCP port of the metrics page, 0 without one */
  get metricsPort(): number {
    return this.#page?.port ?? 0
  }

  /**
   * Joins the swarm, chooses its blocks, loads and measures them, and serves. Undoes everything if a step fails.
   * @throws SwarmError ADDRESS_IN_USE, UNREACHABLE when no address to join answers, BAD_CHECKPOINT, ABORTED when stopped meanwhile
   */
  start(): Promise<void> {
    this.#started ??= this.#begin()
    return this.#started
  }

  /**
   * Leaves in order: announces it, refuses new requests and sessions, waits for running ones until the deadline, stops.
   * @param options.deadlineMs default half a minute
   */
  drain(options: { deadlineMs?: number } = {}): Promise<void> {
    this.#drained ??= this.#drain(options.deadlineMs ?? 30 * second)
    return this.#drained
  }

  /**
   * Keeps the blocks but serves no requests until `resume`. Sessions move to other servers; those that cannot move
   * finish here.
   */
  async pause(): Promise<void> {
    if (this.state !== 'online' || this.#announcedState.isMoving) return
    void this.#admission.close()
    this.#logger.info({ ...this.#admission.inside }, 'paused')
    await this.#announcedState.become('paused')
  }

  async resume(): Promise<void> {
    if (this.state !== 'paused') return
    this.#admission.reopen()
    this.#logger.info({}, 'resumed')
    await this.#announcedState.become('online')
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
    await runStage(this.#init.onProgress, { stage: 'connect' }, () => this.network.start())
    signal.throwIfAborted()
    await this.#host.choose(signal)
    await this.#announcedState.announce(() => this.#describe())
    signal.throwIfAborted()

    await this.#host.load(signal)
    const context = createContext(
      {
        network: this.network,
        host: this.#host,
        stores: this.#stores,
        scheduler: this.#scheduler,
        admission: this.#admission,
        metrics: this.#metrics,
        logger: this.#logger
      },
      this.#init,
      this.#plan
    )
    for (const { protocol, handler, options } of Object.values(handlers)) {
      await this.network.handle(protocol, handler(context), options(context))
    }
    this.network.onPeerGone(peer => this.#stores.residuals.forget(peer))
    signal.throwIfAborted()
    this.#admission.open()
    await this.#announcedState.become('online')
    void this.#rebalancer?.run(this.#stopping.signal)
    const { identity: model } = this.#init.checkpoint
    const about = () => (this.state === 'online' ? { model, range: this.range } : undefined)
    void this.#loadReporter.run(about, this.#stopping.signal)
    const { isLimited, budgetBytes: memoryBytes } = this.#plan
    if (isLimited) {
      const components = { rss: () => process.memoryUsage.rss(), collect: collectGarbage }
      new MemoryPressure(components, { memoryBytes }).run(this.#stopping.signal)
    }
    const { forwardRate, decodeRate } = this.throughput
    const rates = { forwardRate: Math.round(forwardRate), decodeRate: Math.round(decodeRate) }
    this.#logger.info(
      { peerId: this.peerId, blocks: formatRange(this.range), weightBytes: this.weightBytes, ...rates },
      'online'
    )
  }

  async #drain(deadlineMs: number): Promise<void> {
    this.#announcedState.isLeaving = true
    if (this.#announcedState.isSettled || this.state === 'paused') {
      this.#logger.info({ ...this.#admission.inside, deadlineMs }, 'draining')
      const told = this.#announcedState.become('draining').catch(error => {
        this.#logger.warn({ reason: messageOf(error) }, 'could not announce that this server is leaving')
      })
      await within(deadlineMs, Promise.all([this.#admission.close(), told]), this.#stopping.signal)
    }
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new SwarmError('ABORTED', 'the server stops'))
    await this.#announcedState.leave()
    await this.network.stop()
    // a start in progress must end first; the caller of start gets its error
    await this.#starting?.catch(error => this.#logger.debug({ reason: messageOf(error) }, 'stops half started'))
    await this.#relocation.end()
    await this.#host.close()
    this.#stores.residuals.clear()
    await this.#page?.stop()
    this.#logger.info({ peerId: this.peerId }, 'stopped')
  }

  #describe(): AnnouncementFields {
    const { checkpoint, name: serverName, region, threads = availableParallelism() } = this.#init
    const encoder = stackNamed(checkpoint.config, 'encoder')
    return {
      ...(serverName !== undefined && { serverName }),
      ...(region !== undefined && { region }),
      device: `CPU, ${plural(threads, 'thread')}`,
      model: checkpoint.identity,
      modelName: checkpoint.name,
      totalBlocks: checkpoint.config.numBlocks,
      ...(encoder && { encoderBlocks: encoder.blocks.end }),
      firstBlock: this.range.first,
      endBlock: this.range.end,
      state: this.state,
      ...this.throughput,
      cacheBytesFree: this.#stores.kvCache.bytesFree,
      requestBytes: this.#plan.maxFrameBytes,
      ...this.#loadReporter.describe(),
      dtype: this.precision
    }
  }
}
