// What does distance cost at decode? Milliseconds of a step through three servers with 0, 20, 50, 100 ms of round trip on every
// link, against compute and one-way trips: to the first server, from each to the next, from the last; goal: within 15 %. And the
// tokens per second of a generation without and with guesses (prompt lookup), on text that repeats itself.
//   node bench/network/round-trip.ts [steps=24] [rounds=3]
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { tensor } from '../../common/tensor.ts'
import { startChaosSwarm } from '../../testing/chaos/swarm.ts'
import { tinyPath } from '../../testing/references.ts'
import { median, ratios, spread } from '../tools/report.ts'

const [steps = 24, rounds = 3] = process.argv.slice(2).map(Number)
const roundTripsMs = [0, 20, 50, 100]
const ranges = [
  [0, 4],
  [4, 8],
  [8, 12]
] as const
/** one-way trips of a step: with results handed on, one more than there are servers */
const trips = ranges.length + 1

await using swarm = await startChaosSwarm(ranges)
await using model = await AutoDistributedModelForCausalLM.fromPretrained(tinyPath, {
  initialPeers: swarm.servers.map(({ peer }) => peer.address),
  threads: 1
})
const { h } = model.transformer

async function stepMs(): Promise<number> {
  const session = await h.openSession({ batch: 1, maxLength: steps + 8 })
  await session.step(tensor('float32', [1, 8, 192]), { answer: 'last' })
  const times: number[] = []
  for (let step = 0; step < steps; step++) {
    const start = performance.now()
    await session.step(tensor('float32', [1, 1, 192]))
    times.push(performance.now() - start)
  }
  await session.close()
  return median(times)
}

const text = 'And it came to pass, that the people came to pass, and it came to pass, that the people'
async function tokensPerSecond(promptLookupNumTokens?: number): Promise<number> {
  const start = performance.now()
  const [row] = await model.generate(text, { maxNewTokens: 48, eosTokenIds: [], promptLookupNumTokens })
  const generated = row!.length - model.tokenizer.encode(text).length
  return (generated * 1000) / (performance.now() - start)
}

await stepMs()
const times = new Map(roundTripsMs.map(ms => [ms, [] as number[]]))
const rates = new Map(roundTripsMs.map(ms => [ms, { plain: [] as number[], guessed: [] as number[] }]))
for (let round = 0; round < rounds; round++) {
  for (const ms of roundTripsMs) {
    for (const { proxy } of swarm.servers) proxy.set({ delayMs: ms / 2 })
    times.get(ms)!.push(await stepMs())
    rates.get(ms)!.plain.push(await tokensPerSecond())
    rates.get(ms)!.guessed.push(await tokensPerSecond(8))
  }
}
const compute = times.get(0)!
console.log(`${ranges.length} servers, ${steps} steps, ${rounds} rounds`)
for (const ms of roundTripsMs) {
  const found = times.get(ms)!
  const expected = compute.map(own => own + (trips * ms) / 2)
  const { plain, guessed } = rates.get(ms)!
  console.log(
    `${String(ms).padStart(3)} ms: step ${spread(found)} ms, ${spread(ratios(found, expected))} of compute + ${trips} one-way trips; ` +
      `${spread(plain)} tokens/s, with guesses ${spread(guessed)}, ${spread(ratios(guessed, plain))} times`
  )
}
