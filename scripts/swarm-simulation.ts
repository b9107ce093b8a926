// A swarm of servers that join, choose blocks, move and leave, in simulated time. What they decide is what real servers decide
// (server/placement.ts, server/rebalance.ts); what they see of each other is as old as announcements are.
import { createRandom, type Random } from '../common/random.ts'
import { type BlockRange, rangeLength } from '../common/range.ts'
import { minute, second } from '../common/units.ts'
import { type PlacedServer, weakestWindow } from '../server/placement.ts'
import { attainable, planMove } from '../server/rebalance.ts'

export interface SimulationInit {
  readonly servers: number
  readonly totalBlocks: number
  readonly hours: number
  /** mean of how long a server stays */
  readonly stayMs: number
  readonly seed: number
  /** how old what a server sees of others is; default 10 s */
  readonly delayMs?: number
  /** from draining to serving elsewhere; default 90 s */
  readonly moveMs?: number
  /** from coming to serving; default 60 s */
  readonly loadMs?: number
  /** at half of the time all servers of this many neighbouring blocks go at once; default 0 */
  readonly lostBlocks?: number
  /** false: servers stay where they are, for comparison */
  readonly rebalances?: boolean
}

export interface SimulationResult {
  /** throughput of the weakest block as a share of the sum of all servers' work spread evenly: mean over time, and 5th percentile */
  readonly mean: number
  readonly low: number
  readonly movesPerHour: number
  readonly joinsPerHour: number
  /** moves of servers that had moved in the ten minutes before */
  readonly hasty: number
  /** share of the time in which a block had no server */
  readonly uncovered: number
  /** from the loss of the blocks until each had a server again, and until 0.9 was reached; null where that did not happen */
  readonly coveredMs: number | null
  readonly healedMs: number | null
}

interface Server {
  readonly throughput: number
  readonly length: number
  blocks: BlockRange
  servesFrom: number
  movedAt: number
  left: boolean
}

/** Events by time. */
class Agenda {
  readonly #heap: { at: number; order: number; run: () => void }[] = []
  #order = 0

  add(at: number, run: () => void): void {
    const heap = this.#heap
    heap.push({ at, order: this.#order++, run })
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(child, parent)) break
      this.#swap(child, parent)
      child = parent
    }
  }

  next(): { at: number; run: () => void } | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return top
    heap[0] = last
    for (let parent = 0; ; ) {
      let least = parent
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && this.#isBefore(child, least)) least = child
      if (least === parent) return top
      this.#swap(parent, least)
      parent = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, two] = [this.#heap[a]!, this.#heap[b]!]
    return one.at < two.at || (one.at === two.at && one.order < two.order)
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    ;[heap[a], heap[b]] = [heap[b]!, heap[a]!]
  }
}

/** Strong and weak machines: rates over a factor of about twenty, 4 to 16 blocks. */
function machine(random: Random): Pick<Server, 'throughput' | 'length'> {
  return {
    throughput: Math.round(1000 * Math.exp(0.7 * random.normal())),
    length: 4 + Math.floor(random.uniform() * 13)
  }
}

export function simulate(init: SimulationInit): SimulationResult {
  const { totalBlocks, delayMs = 10 * second, moveMs = 90 * second, loadMs = 60 * second, rebalances = true } = init
  const random = createRandom(init.seed)
  const agenda = new Agenda()
  const end = init.hours * 60 * minute
  const warmUp = 30 * minute
  let now = 0
  const alive = new Set<Server>()
  /** what others see: as it was a while ago */
  const seen = new Map<Server, PlacedServer>()
  const sums = new Array<number>(totalBlocks).fill(0)
  let best = { value: 0, at: -Infinity }
  const samples: number[] = []
  const counts = { moves: 0, joins: 0, hasty: 0, bare: 0 }
  let [lostAt, coveredAt, healedAt] = [Infinity, Infinity, Infinity]

  const add = ({ blocks, throughput }: PlacedServer, sign: number): void => {
    for (let block = blocks.first; block < blocks.end; block++) sums[block]! += sign * throughput
  }
  const show = (server: Server, placed: PlacedServer | null): void =>
    agenda.add(now + delayMs, () => {
      const before = seen.get(server)
      if (before !== undefined) add(before, -1)
      if (placed === null) seen.delete(server)
      else {
        seen.set(server, placed)
        add(placed, 1)
      }
    })
  const leave = (server: Server): void => {
    if (server.left) return
    server.left = true
    alive.delete(server)
    show(server, null)
  }
  const check = (server: Server): void => {
    if (server.left) return
    const own = { blocks: server.blocks, throughput: server.throughput }
    if (now - best.at > 2 * minute) best = { value: attainable(totalBlocks, [...seen.values()]), at: now }
    const others = [...seen].filter(([other]) => other !== server).map(([, placed]) => placed)
    // sums of many rates are not exact to the last digit; they are made anew only where they say that there is something to do
    const worth = sums.some(sum => sum < best.value)
    const stayedMs = now - server.movedAt
    const move = worth ? planMove({ own, others, totalBlocks, stayedMs, attainable: best.value }) : null
    if (move !== null && now >= server.servesFrom && random.uniform() < move.probability) {
      counts.moves += 1
      if (now - server.movedAt < 10 * minute) counts.hasty += 1
      server.blocks = move.blocks
      server.movedAt = now
      server.servesFrom = now + moveMs
      show(server, { blocks: move.blocks, throughput: server.throughput })
    }
    agenda.add(now + (0.5 + random.uniform()) * minute, () => check(server))
  }
  const join = (stay: number): void => {
    const made = machine(random)
    const blocks = weakestWindow(sums, made.length)
    const server: Server = { ...made, blocks, servesFrom: now + loadMs, movedAt: -Infinity, left: false }
    alive.add(server)
    counts.joins += 1
    show(server, { blocks, throughput: server.throughput })
    agenda.add(now + stay, () => {
      leave(server)
    })
    if (rebalances) agenda.add(now + (0.5 + random.uniform()) * minute, () => check(server))
  }
  const stay = (): number => -Math.log(1 - random.uniform()) * init.stayMs
  const arrive = (): void => {
    join(stay())
    agenda.add(now - Math.log(1 - random.uniform()) * (init.stayMs / init.servers), arrive)
  }
  const sample = (): void => {
    const served = new Array<number>(totalBlocks).fill(0)
    let work = 0
    for (const { blocks, throughput, servesFrom } of alive) {
      work += throughput * rangeLength(blocks)
      if (servesFrom > now) continue
      for (let block = blocks.first; block < blocks.end; block++) served[block]! += throughput
    }
    const share = (Math.min(...served) * totalBlocks) / work
    if (now >= warmUp) {
      samples.push(share)
      if (share === 0) counts.bare += 1
    }
    if (now > lostAt && share > 0) coveredAt = Math.min(coveredAt, now)
    if (now > lostAt && share >= 0.9) healedAt = Math.min(healedAt, now)
    agenda.add(now + 5 * second, sample)
  }
  const lose = (): void => {
    lostAt = now
    const first = Math.floor(random.uniform() * (totalBlocks - init.lostBlocks! + 1))
    const last = first + init.lostBlocks!
    for (const server of [...alive]) if (server.blocks.first < last && server.blocks.end > first) leave(server)
  }

  // the first servers come within ten minutes
  for (let index = 0; index < init.servers; index++) agenda.add(random.uniform() * 10 * minute, () => join(stay()))
  agenda.add(10 * minute, arrive)
  agenda.add(0, sample)
  if (init.lostBlocks) agenda.add(end / 2, lose)
  for (let event = agenda.next(); event !== undefined && event.at < end; event = agenda.next()) {
    now = event.at
    event.run()
  }
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    mean: samples.reduce((sum, share) => sum + share, 0) / samples.length,
    low: sorted[Math.floor(sorted.length / 20)]!,
    movesPerHour: counts.moves / init.hours,
    joinsPerHour: counts.joins / init.hours,
    hasty: counts.hasty,
    uncovered: counts.bare / samples.length,
    coveredMs: coveredAt === Infinity ? null : coveredAt - lostAt,
    healedMs: healedAt === Infinity ? null : healedAt - lostAt
  }
}
