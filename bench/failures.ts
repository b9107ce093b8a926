// Steps per second where servers fail, as Petals measured it (arXiv 2312.08361, section 4.1): `node bench/failures.ts [rounds]`.
// Six real servers of models/tiny, two of each third. With the probability given, a step finds one of its three servers gone: its
// connections are reset and new ones refused for a second. The other of its third takes over.
import { createRandom } from '../common/random.ts'
import { float32 } from '../common/tensor.ts'
import { connect } from '../testing/chaos/generation.ts'
import { startChaosSwarm } from '../testing/chaos/swarm.ts'
import { median, spread } from './tools/report.ts'

const rounds = Number(process.argv[2] ?? 1)
const probabilities = [0, 1e-4, 1e-3, 1e-2]
/** models/tiny has 1024 positions */
const lengths = [128, 896]
const thirds = [
  [0, 4],
  [4, 8],
  [8, 12]
] as const
const width = 192
/** of the length of a result: hidden states travel in fp16, and what is replayed is rounded at other places */
const tolerance = 2 ** -7
let farthest = 0

/** Length of the difference against the length of what is expected. */
function distance(found: Float32Array, expected: Float32Array): number {
  const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0)
  return Math.sqrt(square(found.map((value, index) => value - expected[index]!)) / square(expected))
}

const random = createRandom(3)
const inputs = Array.from({ length: Math.max(...lengths) }, () =>
  float32(
    [1, 1, width],
    Array.from({ length: width }, () => random.normal())
  )
)

const swarm = await startChaosSwarm([...thirds, ...thirds])
const client = await connect(swarm)
try {
  const { h } = client.model.transformer
  const expected: Float32Array[] = []
  const recoveries: number[] = []

  /** Steps per second; every result must be what it is without failures. */
  const run = async (length: number, probability: number): Promise<{ rate: number; failures: number }> => {
    const session = await h.openSession({ batch: 1, maxLength: length })
    let failures = 0
    const usual: number[] = []
    const started = performance.now()
    for (let step = 0; step < length; step++) {
      const fails = random.uniform() < probability
      if (fails) {
        failures += 1
        const { proxy } = swarm.byPeer(session.route[random.integer(session.route.length)]!.peerId)
        proxy.set({ isRefused: true })
        proxy.cut()
        setTimeout(() => proxy.clear(), 1000)
      }
      const begun = performance.now()
      const { data } = await session.step(inputs[step]!)
      const took = performance.now() - begun
      if (fails) recoveries.push(took - median(usual.length > 0 ? usual : [0]))
      else usual.push(took)
      expected[step] ??= data.slice()
      const away = distance(data, expected[step]!)
      farthest = Math.max(farthest, away)
      if (!(away <= tolerance))
        throw new Error(`step ${step} of ${length} at ${probability}: ${away} from what is expected`)
    }
    const rate = (1000 * length) / (performance.now() - started)
    await session.close()
    return { rate, failures }
  }

  await run(Math.max(...lengths), 0) // compiled, and what is expected
  for (const length of lengths) {
    const rates = new Map<number, number[]>()
    const failed = new Map<number, number>()
    for (let round = 0; round < rounds; round++) {
      for (const probability of probabilities) {
        const { rate, failures } = await run(length, probability)
        rates.set(probability, [...(rates.get(probability) ?? []), rate])
        failed.set(probability, (failed.get(probability) ?? 0) + failures)
      }
    }
    for (const [probability, found] of rates) {
      const ratio = median(found.map((rate, index) => rate / rates.get(0)![index]!))
      console.log(
        `${length} steps, ${probability}: ${spread(found)} steps/s, ${ratio.toFixed(2)} of 0, ${failed.get(probability)} failures`
      )
    }
  }
  const sorted = recoveries.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0)
  console.log(`largest distance from results without failures: ${farthest.toPrecision(2)} of their length`)
  console.log(`recovery of ${sorted.length} failures: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`)
} finally {
  await client[Symbol.asyncDispose]()
  await swarm[Symbol.asyncDispose]()
}
