// A swarm of servers that join, choose blocks, move and leave, in simulated time. What they decide is what real servers decide
// (server/placement/placement.ts, server/placement/rebalance.ts); what they see of each other is as old as announcements are.
import { createRandom, type Random } from '../common/random.ts'
import { type BlockRange, rangeLength } from '../common/range.ts'
import { minute, second } from '../common/units.ts'
import { chooseWindow, type PlacedServer } from '../server/placement/placement.ts'
import { attainable, type Move, minQuality, planMove } from '../server/placement/rebalance.ts'
import { Agenda } from './agenda.ts'

export interface SimulationInit {
  readonly servers: number
  readonly totalBlocks: number
  readonly hours: number
  /** mean of how long a server stays */
  readonly stayMs: number
  readonly seed: number
  /** how old what a server sees of others is; default 10 s */
  readonly delayMs?: number
  /** until the last session has left a server that moves; default 30 s */
  readonly drainMs?: number
  /** from coming to serving, and from leaving blocks to serving others; default 60 s */
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
  /** share of the work that is of servers which serve, and do not load: `mean` cannot be more */
  readonly serving: number
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
  readonly order: number
  readonly throughput: number
  readonly length: number
  blocks: BlockRange
  servesFrom: number
  movedAt: number
  left: boolean
}

/** What others see of a server. */
interface Seen extends PlacedServer {
  readonly isDraining?: boolean
}

/** as server/placement/rebalancer.ts */
const settleMs = 3 * second
/** What is attainable changes slowly, and is dear. */
const attainableAgeMs = 10 * second

/** Strong and weak machines: rates over a factor of about twenty, 4 to 16 blocks. */
function machine(random: Random): Pick<Server, 'throughput' | 'length'> {
  return {
    throughput: Math.round(1000 * Math.exp(0.7 * random.normal())),
    length: 4 + Math.floor(random.uniform() * 13)
  }
}

export function simulate(init: SimulationInit): SimulationResult {
  const { totalBlocks, delayMs = 10 * second, drainMs = 30 * second, loadMs = 60 * second } = init
  const random = createRandom(init.seed)
  const agenda = new Agenda()
  const end = init.hours * 60 * minute
  const warmUp = 30 * minute
  let now = 0
  const alive = new Set<Server>()
  /** what others see: as it was a while ago */
  const seen = new Map<Server, Seen>()
  let best = { value: 0, at: -Infinity }
  const samples: number[] = []
  const counts = { moves: 0, joins: 0, hasty: 0, bare: 0, serving: 0 }
  let [lostAt, coveredAt, healedAt] = [Infinity, Infinity, Infinity]

  /** throughput of each block as it is seen, without servers that leave */
  const sums = new Array<number>(totalBlocks).fill(0)
  const add = ({ blocks, throughput, isDraining }: Seen, sign: number): void => {
    if (isDraining) return
    for (let block = blocks.first; block < blocks.end; block++) sums[block]! += sign * throughput
  }
  const show = (server: Server, state: 'joining' | 'online' | 'draining' | 'gone'): void => {
    const { blocks, throughput } = server
    const placed = { blocks, throughput, isJoining: state === 'joining', isDraining: state === 'draining' }
    agenda.add(now + delayMs, () => {
      const before = seen.get(server)
      if (before !== undefined) add(before, -1)
      if (state === 'gone') return void seen.delete(server)
      seen.set(server, placed)
      add(placed, 1)
    })
  }
  /** All that are seen but those that leave, as the server counts them. */
  const placed = (leaves: (server: Server, isDraining: boolean) => boolean): PlacedServer[] =>
    [...seen].filter(([server, { isDraining }]) => !leaves(server, isDraining === true)).map(([, placed]) => placed)
  const leave = (server: Server): void => {
    if (server.left) return
    server.left = true
    alive.delete(server)
    show(server, 'gone')
  }
  const load = (server: Server): void => {
    server.servesFrom = now + loadMs
    show(server, 'joining')
    agenda.add(server.servesFrom, () => {
      if (!server.left) show(server, 'online')
    })
  }
  const plan = (server: Server, leaves: (other: Server, isDraining: boolean) => boolean): Move | null => {
    const own = { blocks: server.blocks, throughput: server.throughput }
    const others = placed((other, isDraining) => other === server || leaves(other, isDraining))
    const stayedMs = now - server.movedAt
    return planMove({ own, others, totalBlocks, stayedMs, attainable: best.value, random: () => random.uniform() })
  }
  /** As a Rebalancer does it: says that it leaves, hears who else does, lets sessions go, looks again, and loads. */
  const check = (server: Server): void => {
    if (server.left) return
    const again = (): void => agenda.add(now + (0.5 + random.uniform()) * minute, () => check(server))
    if (now - best.at > attainableAgeMs)
      best = {
        value: attainable(
          totalBlocks,
          placed(() => false)
        ),
        at: now
      }
    // to look closely is dear, and for most there is nothing to see
    const isWorth = server.servesFrom <= now && Math.min(...sums) < 1.01 * minQuality * best.value
    const move = isWorth ? plan(server, (_, isDraining) => isDraining) : null
    if (move === null || random.uniform() >= move.probability) return void again()
    const goesFirst = (other: Server, isDraining: boolean): boolean => isDraining && other.order < server.order
    const stays = (): void => {
      show(server, 'online')
      again()
    }
    show(server, 'draining')
    agenda.add(now + settleMs, () => {
      if (server.left) return
      const sure = plan(server, goesFirst)
      if (sure === null) return stays()
      server.servesFrom = Infinity
      agenda.add(now + drainMs, () => {
        if (server.left) return
        if (plan(server, goesFirst) === null) {
          server.servesFrom = now
          return stays()
        }
        counts.moves += 1
        if (now - server.movedAt < 10 * minute) counts.hasty += 1
        server.blocks = sure.blocks
        server.movedAt = now
        load(server)
        again()
      })
    })
  }
  const join = (stay: number): void => {
    const made = machine(random)
    const others = placed((_, isDraining) => isDraining)
    const blocks = chooseWindow(totalBlocks, made.length, others, () => random.uniform())
    const server: Server = {
      order: counts.joins,
      ...made,
      blocks,
      servesFrom: Infinity,
      movedAt: -Infinity,
      left: false
    }
    alive.add(server)
    counts.joins += 1
    load(server)
    agenda.add(now + stay, () => leave(server))
    if (init.rebalances ?? true) agenda.add(now + (0.5 + random.uniform()) * minute, () => check(server))
  }
  const stay = (): number => -Math.log(1 - random.uniform()) * init.stayMs
  const arrive = (): void => {
    join(stay())
    agenda.add(now - Math.log(1 - random.uniform()) * (init.stayMs / init.servers), arrive)
  }
  const sample = (): void => {
    const served = new Array<number>(totalBlocks).fill(0)
    let [work, serving] = [0, 0]
    for (const { blocks, throughput, servesFrom } of alive) {
      work += throughput * rangeLength(blocks)
      if (servesFrom > now) continue
      serving += throughput * rangeLength(blocks)
      for (let block = blocks.first; block < blocks.end; block++) served[block]! += throughput
    }
    const share = (Math.min(...served) * totalBlocks) / work
    if (now >= warmUp) {
      samples.push(share)
      counts.serving += serving / work
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
    serving: counts.serving / samples.length,
    movesPerHour: counts.moves / init.hours,
    joinsPerHour: counts.joins / init.hours,
    hasty: counts.hasty,
    uncovered: counts.bare / samples.length,
    coveredMs: coveredAt === Infinity ? null : coveredAt - lostAt,
    healedMs: healedAt === Infinity ? null : healedAt - lostAt
  }
}
