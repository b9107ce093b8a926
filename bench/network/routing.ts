// How much processor time does planning take in a large swarm? 80 blocks, spans of 4 to 80, with measured trips and caches.
import { findRoute, type RouteServer } from '../../client/remote/routing/routing.ts'
import { spreadRoutes } from '../../client/remote/routing/spread.ts'
import { createRandom } from '../../common/random.ts'

const total = 80
const blocks = { first: 0, end: total }
const rounds = 11

function swarm(size: number, longest: number): RouteServer[] {
  const random = createRandom(7)
  const below = (count: number) => Math.floor(random.uniform() * count)
  return Array.from({ length: size }, (_, index) => {
    const length = 4 + below(longest - 3)
    const first = below(total - length + 1)
    return {
      peerId: `peer-${index}`,
      blocks: { first, end: first + length },
      roundTripMs: 1 + below(300),
      decodeRate: 50 + below(2000),
      forwardRate: 500 + below(20_000),
      cacheBytesFree: below(2 ** 30),
      queueMs: below(50),
      trips: new Map(Array.from({ length: 8 }, () => [`peer-${below(size)}`, 1 + below(300)] as const))
    }
  })
}

function median(work: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const started = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(started)
    return (user + system) / 1000
  })
  return times.sort((a, b) => a - b)[rounds >> 1]!
}

for (const longest of [12, 40, 80]) {
  for (const size of [100, 1000, 10_000]) {
    const servers = swarm(size, longest)
    const decode = median(() => void findRoute(servers, blocks, { mode: 'latency', cacheBytesPerBlock: 2 ** 22 }))
    const training = median(() => void findRoute(servers, blocks, { mode: 'throughput' }))
    const parts = median(() => void spreadRoutes(servers, blocks, Array<number>(8).fill(1024)))
    console.log(
      `${size} servers, spans of 4 to ${longest} of ${total} blocks: decode ${decode.toFixed(1)} ms, training ${training.toFixed(1)} ms, 8 parts of a batch ${parts.toFixed(1)} ms`
    )
  }
}
