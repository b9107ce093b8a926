// A soak: clients and servers come and go, and nothing may be wrong or left over. `npm run soak -- --minutes 15`.
// Prints memory, file descriptors and streams before and after; ends with status 1 where a token is wrong or something leaks.
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createRandom } from '../common/random.ts'
import { MiB } from '../common/units.ts'
import { connect, generateGreedy } from '../testing/chaos/generation.ts'
import { type ChaosServer, end, startChaosSwarm } from '../testing/chaos/swarm.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '15' }, seed: { type: 'string', default: '1' } }
})
const minutes = Number(values.minutes)
const random = createRandom(Number(values.seed))
/** memory that a process may have more than after warming up, and file descriptors */
const most = { memoryMiB: 100, heapMiB: 10, descriptors: 8 }
const halves = [
  [0, 6],
  [6, 12]
] as const

interface Figures {
  readonly memoryMiB: number
  readonly descriptors: number
  /** open sessions and bytes of KV cache, of a server */
  readonly sessions?: number
  /** of JavaScript, garbage not counted */
  readonly heapMiB?: number
  readonly cacheBytes?: number
}

function measure(pid: number): Figures {
  const [, kib] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  const heapMiB = pid === process.pid ? process.memoryUsage().heapUsed / MiB : undefined
  return { memoryMiB: Number(kib) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length, heapMiB }
}

async function measureServer({ peer, metricsPort }: Stable): Promise<Figures> {
  process.kill(peer.process.pid!, 'SIGUSR2') // collects garbage: testing/chaos/preload.ts
  await new Promise(resolve => setTimeout(resolve, 1000))
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1])
  return {
    ...measure(peer.process.pid!),
    sessions: value('swarm_sessions'),
    cacheBytes: value('swarm_kv_cache_bytes'),
    heapMiB: value('swarm_nodejs_heap_size_used_bytes') / MiB
  }
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, each) => (typeof each === 'number' ? Math.round(each) : each))

interface Stable extends ChaosServer {
  readonly metricsPort: number
}

const swarm = await startChaosSwarm([])
const problems: string[] = []
const counts = { generations: 0, killed: 0, frozen: 0, cut: 0, joined: 0, left: 0 }
try {
  // these stay to the end: what leaks, leaks here
  const stable: Stable[] = []
  for (const range of halves) {
    const metricsPort = 21_000 + random.integer(20_000)
    const server = await swarm.add(range, { args: ['--metrics-port', `${metricsPort}`] })
    stable.push({ ...server, metricsPort })
  }
  const passing: ChaosServer[] = []
  for (const range of halves) passing.push(await swarm.add(range))

  const lives = async (troubles: Parameters<typeof generateGreedy>[1]): Promise<void> => {
    const client = await connect(swarm)
    try {
      await generateGreedy(client, troubles)
      counts.generations += 1
    } finally {
      await client[Symbol.asyncDispose]()
    }
  }
  /** One round: two clients come and go, a server that passes through is in trouble meanwhile, then another takes its place. */
  const round = async (): Promise<void> => {
    const index = random.integer(passing.length)
    const server = passing[index]!
    const kind = (['killed', 'frozen', 'cut', 'left'] as const)[random.integer(4)]!
    const at = 1 + random.integer(60)
    let leaving: Promise<void> | undefined
    const trouble = (): void => {
      counts[kind] += 1
      if (kind === 'killed') server.peer.process.kill('SIGKILL')
      else if (kind === 'frozen') server.peer.process.kill('SIGSTOP')
      else if (kind === 'cut') server.proxy.cut()
      else leaving = server.peer.stop()
    }
    await Promise.all([lives({ [at]: trouble }), lives({})])
    await leaving
    if (kind === 'frozen') server.peer.process.kill('SIGCONT')
    if (kind === 'killed' || kind === 'left') {
      await end(server.peer)
      await server.proxy.close()
      passing[index] = await swarm.add([server.blocks.first, server.blocks.end])
      counts.joined += 1
    }
  }

  const figures = async () => {
    // what was freed a moment ago may still be on its way out
    await new Promise(resolve => setTimeout(resolve, 12_000))
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    return { client: measure(process.pid), servers: await Promise.all(stable.map(measureServer)) }
  }
  const attempt = async (): Promise<void> => {
    try {
      await round()
    } catch (error) {
      problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      console.log(problems.at(-1))
    }
  }
  for (let warm = 0; warm < 4; warm++) await attempt()
  const before = await figures()
  console.log('before', text(before))
  const until = performance.now() + minutes * 60_000
  while (performance.now() < until) {
    await attempt()
    const { memoryMiB, descriptors } = measure(stable[0]!.peer.process.pid!)
    console.log(text({ ...counts, client: measure(process.pid), server: { memoryMiB, descriptors } }))
  }
  const after = await figures()
  console.log('after ', text(after))
  const check = (name: string, was: Figures, is: Figures): void => {
    for (const key of ['memoryMiB', 'heapMiB', 'descriptors'] as const) {
      if (is[key]! - was[key]! > most[key]) problems.push(`${name}: ${key} went from ${was[key]} to ${is[key]}`)
    }
    if (is.sessions) problems.push(`${name}: ${is.sessions} sessions are still open`)
    if (is.cacheBytes) problems.push(`${name}: ${is.cacheBytes} bytes of KV cache are still taken`)
  }
  check('client', before.client, after.client)
  for (const [index, server] of after.servers.entries()) check(`server ${index}`, before.servers[index]!, server)
} finally {
  await swarm[Symbol.asyncDispose]()
}
for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? 'nothing wrong, nothing leaked' : `${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
