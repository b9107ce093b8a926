// What do many clients get out of the same servers? Decode steps per second of 1, 2, 4, 8, 16 sessions at once, and how long each
// waits for a token, in turns in one run; goal: 8 clients at least 3 times one. Sessions step hidden states through all blocks
// without embedding and head, which are the clients' own work.
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/clients.ts /tmp/llama-24x1024 [servers=1] [steps=24] [rounds=3] [threads=2]
import { resolve } from 'node:path'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import type { BlockRange } from '../common/range.ts'
import { tensor } from '../common/tensor.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { ratios, spread } from './tools/report.ts'

const [folder = '/tmp/llama-24x1024', ...rest] = process.argv.slice(2)
const [servers = 1, steps = 24, rounds = 3, threads = 2] = rest.map(Number)
const path = resolve(folder)
const counts = [1, 2, 4, 8, 16]
const promptTokens = 16

const { config } = await openCheckpoint(path)
const { numBlocks, hiddenSize } = config
const ranges: BlockRange[] = Array.from({ length: servers }, (_, index) => ({
  first: Math.round((index * numBlocks) / servers),
  end: Math.round(((index + 1) * numBlocks) / servers)
}))

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!

const peers = await startServers(path, ranges, { args: ['--threads', String(threads), '--weights', 'prepacked'] })
try {
  const initialPeers = peers.map(peer => peer.address)
  await using model = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers, threads: 1 })
  const { h } = model.transformer

  interface Outcome {
    readonly stepsPerSecond: number
    readonly gaps: readonly number[]
    readonly firsts: readonly number[]
  }

  /** Runs this many sessions at once: prompts, then steps, each as soon as the last one is answered. */
  const run = async (clients: number): Promise<Outcome> => {
    const sessions = await Promise.all(
      Array.from({ length: clients }, () => h.openSession({ batch: 1, maxLength: 1000 }))
    )
    const gaps: number[] = []
    const firsts = await Promise.all(
      sessions.map(async session => {
        const start = performance.now()
        await session.step(tensor('float32', [1, promptTokens, hiddenSize]), { answer: 'last' })
        return performance.now() - start
      })
    )
    const start = performance.now()
    await Promise.all(
      sessions.map(async session => {
        for (let step = 0; step < steps; step++) {
          const before = performance.now()
          await session.step(tensor('float32', [1, 1, hiddenSize]))
          gaps.push(performance.now() - before)
        }
      })
    )
    const seconds = (performance.now() - start) / 1000
    await Promise.all(sessions.map(session => session.close()))
    return { stepsPerSecond: (clients * steps) / seconds, gaps, firsts }
  }

  await run(2)
  const results = new Map<number, Outcome[]>(counts.map(count => [count, []]))
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) results.get(count)!.push(await run(count))
  }
  const alone = results.get(1)!.map(({ stepsPerSecond }) => stepsPerSecond)
  console.log(`${servers} server(s), ${steps} steps, ${rounds} rounds, ${threads} threads a server`)
  for (const [count, outcomes] of results) {
    const rates = outcomes.map(({ stepsPerSecond }) => stepsPerSecond)
    const gaps = outcomes.flatMap(outcome => outcome.gaps)
    const firsts = outcomes.flatMap(outcome => outcome.firsts)
    console.log(
      `${String(count).padStart(2)} clients: ${spread(rates)} steps/s, ${spread(ratios(rates, alone))} times one; ` +
        `between tokens p50 ${percentile(gaps, 0.5).toFixed(0)} ms, p99 ${percentile(gaps, 0.99).toFixed(0)} ms; ` +
        `first token p50 ${percentile(firsts, 0.5).toFixed(0)} ms, p99 ${percentile(firsts, 0.99).toFixed(0)} ms`
    )
  }
} finally {
  await Promise.all(peers.map(peer => peer.stop()))
}
