// Moves a server to other blocks: it closes admission, drains, loads the new blocks, and opens admission again. The
// rebalancer decides whether and where.

import { within } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { type BlockRange, formatRange } from '../../common/range.ts'
import type { ServerState } from '../../network/discovery/announcement.ts'
import type { Network } from '../../network/network.ts'
import type { Stores } from '../memory/stores.ts'
import type { Admission } from '../schedule/admission.ts'
import type { Scheduler } from '../schedule/scheduler.ts'
import type { Movable } from './rebalancer.ts'
import type { SpanHost } from './span-host.ts'
import type { AnnouncedState } from './state.ts'

export interface RelocationComponents {
  readonly network: Pick<Network, 'peerId'>
  readonly host: SpanHost
  readonly announcedState: AnnouncedState
  readonly admission: Admission
  readonly scheduler: Scheduler
  readonly residuals: Stores['residuals']
  readonly logger: Logger
  readonly findServers: Movable['findServers']
}

export interface RelocationInit {
  /** aborts when the server stops */
  readonly stopping: AbortSignal
  /** without blocks the server is of no use to anybody */
  onFailure(): void
}

export class Relocation implements Movable {
  readonly #components: RelocationComponents
  readonly #init: RelocationInit
  #underWay: Promise<boolean> = Promise.resolve(false)

  constructor(components: RelocationComponents, init: RelocationInit) {
    this.#components = components
    this.#init = init
  }

  get peerId(): string {
    return this.#components.network.peerId
  }

  get totalBlocks(): number {
    return this.#components.host.totalBlocks
  }

  get own() {
    const { range, throughput } = this.#components.host
    return { blocks: range, throughput: throughput.forwardRate || 1 }
  }

  get isSettled(): boolean {
    return this.#components.announcedState.isSettled
  }

  get findServers(): Movable['findServers'] {
    return this.#components.findServers
  }

  async tell(state: Extract<ServerState, 'draining' | 'online'>): Promise<void> {
    const { announcedState } = this.#components
    if (!announcedState.isSettled) return
    announcedState.isMoving = state === 'draining'
    await announcedState.become(state)
  }

  relocate(...move: Parameters<Movable['relocate']>): Promise<boolean> {
    this.#underWay = this.#relocate(...move)
    return this.#underWay
  }

  /** Resolves when no move is running. Never throws. */
  async end(): Promise<void> {
    const { logger } = this.#components
    await this.#underWay.catch(error => logger.debug({ reason: messageOf(error) }, 'stops while it moves'))
  }

  async #relocate(blocks: BlockRange, { drainMs, isWanted }: Parameters<Movable['relocate']>[1]): Promise<boolean> {
    const { host, announcedState, admission, scheduler, residuals } = this.#components
    const { stopping } = this.#init
    const left = admission.close()
    await within(drainMs, left, stopping)
    try {
      if (stopping.aborted || announcedState.isLeaving || !(await isWanted())) return false
      admission.evict()
      await left
      // work of removed sessions runs to its end
      await scheduler.between(() => {})
      await host.leaveFor(blocks)
      residuals.clear()
      await announcedState.become('joining')
      await host.load(stopping)
      return true
    } finally {
      announcedState.isMoving = false
      if (!stopping.aborted && !announcedState.isLeaving) await this.#reopen(blocks)
    }
  }

  async #reopen(blocks: BlockRange): Promise<void> {
    const { host, announcedState, admission, logger } = this.#components
    if (host.span === undefined) {
      logger.error({ blocks: formatRange(blocks) }, 'blocks could not be loaded: this server leaves the swarm')
      this.#init.onFailure()
      return
    }
    admission.reopen()
    await announcedState.become('online')
  }
}
