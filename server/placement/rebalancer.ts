// Moves a server, from time to time, to blocks that the swarm needs more. Knows no blocks itself: policy is server/placement/rebalance.ts,
// the rest is the server's.

import { pause } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import { type BlockRange, formatRange } from '../../common/range.ts'
import { minute, second } from '../../common/units.ts'
import type { Announcement } from '../../network/discovery/announcement.ts'
import type { PlacedServer } from './placement.ts'
import { type Move, planMove } from './rebalance.ts'

export interface RebalancerInit {
  /** mean time between two looks at the swarm; default a minute */
  readonly intervalMs?: number
  /** how long to listen for servers that want to move at the same time; default 3 s */
  readonly settleMs?: number
  /** how long sessions may stay before they are ended; default two minutes */
  readonly drainMs?: number
}

/** The server that moves. */
export interface Movable {
  readonly peerId: string
  readonly totalBlocks: number
  readonly own: PlacedServer
  /** it serves and is not about to leave */
  readonly isSettled: boolean
  findServers(signal: AbortSignal): Promise<readonly Announcement[]>
  /** announces that it is about to leave its blocks, or that it stays */
  tell(state: 'draining' | 'online'): Promise<void>
  /**
   * closes admission, waits for active requests, and loads the blocks if `isWanted` still holds; false if the server
   * stays
   */
  relocate(blocks: BlockRange, options: { drainMs: number; isWanted: () => Promise<boolean> }): Promise<boolean>
}

/** Servers as placement counts them; one that is still loading has not measured itself yet, but it will serve. */
export function placedServers(
  servers: readonly Announcement[],
  leaves: (server: Announcement) => boolean
): PlacedServer[] {
  return servers
    .filter(server => ['online', 'joining', 'draining'].includes(server.state) && !leaves(server))
    .map(({ firstBlock, endBlock, forwardRate, state }) => ({
      blocks: { first: firstBlock, end: endBlock },
      throughput: forwardRate || 1,
      isJoining: state === 'joining'
    }))
}

export class Rebalancer {
  readonly #server: Movable
  readonly #logger: Logger
  readonly #intervalMs: number
  readonly #settleMs: number
  readonly #drainMs: number
  readonly #random: () => number
  #movedAt = -Infinity
  #moves = 0

  constructor(
    components: { readonly server: Movable; readonly logger?: Logger; readonly random?: () => number },
    init: RebalancerInit = {}
  ) {
    this.#server = components.server
    this.#logger = components.logger ?? silent
    this.#random = components.random ?? Math.random
    this.#intervalMs = init.intervalMs ?? 1 * minute
    this.#settleMs = init.settleMs ?? 3 * second
    this.#drainMs = init.drainMs ?? 2 * minute
  }

  /** how often it has moved */
  get moves(): number {
    return this.#moves
  }

  /** Looks and moves until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause((0.5 + this.#random()) * this.#intervalMs, signal)
      if (signal.aborted) return
      try {
        if (this.#server.isSettled) await this.#look(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#logger.warn({ reason: messageOf(error) }, 'the search for better blocks failed')
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    // servers that are about to leave count as gone
    const move = await this.#plan(server => server.state === 'draining', signal)
    if (move === null || this.#random() >= move.probability) return
    const { peerId } = this.#server
    // of several servers that want to leave at the same time the lowest ids go first; the others see that and may stay
    const goesFirst = (server: Announcement): boolean => server.state === 'draining' && server.peerId < peerId
    await this.#server.tell('draining')
    let isMoving = false
    try {
      await pause(this.#settleMs, signal)
      signal.throwIfAborted()
      const sure = await this.#plan(goesFirst, signal)
      if (sure === null || !this.#server.isSettled) return
      isMoving = true
      const to = formatRange(sure.blocks)
      this.#logger.info({ from: formatRange(this.#server.own.blocks), to, quality: sure.quality }, 'moves')
      const isWanted = async () => (await this.#plan(goesFirst, signal)) !== null
      if (!(await this.#server.relocate(sure.blocks, { drainMs: this.#drainMs, isWanted }))) return
      this.#movedAt = performance.now()
      this.#moves += 1
    } finally {
      if (!isMoving && !signal.aborted) await this.#server.tell('online')
    }
  }

  async #plan(leaves: (server: Announcement) => boolean, signal: AbortSignal): Promise<Move | null> {
    const { own, totalBlocks } = this.#server
    const servers = await this.#server.findServers(signal)
    const stayedMs = performance.now() - this.#movedAt
    const others = placedServers(servers, leaves)
    return planMove({ own, others, totalBlocks, stayedMs, random: this.#random })
  }
}
