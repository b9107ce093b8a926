// Measures how much sooner the first token arrives if servers have cached the prefix of the prompt. Two servers; a
// system prompt of 512 tokens with a question of 16, new and known, in turns.
//   node bench/prefix-reuse.ts /tmp/llama-24x1024 [system=512] [question=16] [rounds=5]
import { resolve } from 'node:path'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import { createRandom } from '../common/random.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { ratios, spread } from './tools/report.ts'

const [folder = '/tmp/llama-24x1024', ...rest] = process.argv.slice(2)
const [system = 512, question = 16, rounds = 5] = rest.map(Number)
const model = resolve(folder)
const { config } = await openCheckpoint(model)
const random = createRandom(Date.now())
const ids = (count: number): number[] => Array.from({ length: count }, () => random.integer(config.vocabSize))

const half = config.numBlocks >> 1
const peers = await startServers(model, [
  { first: 0, end: half },
  { first: half, end: config.numBlocks }
])
try {
  await using client = await AutoDistributedModelForCausalLM.fromPretrained(model, {
    initialPeers: [peers[0]!.address]
  })
  const firstToken = async (prompt: readonly number[]): Promise<number> => {
    const started = performance.now()
    for await (const _ of client.generateStream([...prompt], { maxNewTokens: 1 })) break
    return performance.now() - started
  }
  await firstToken(ids(system + question)) // compiles
  const times = { cold: [] as number[], warm: [] as number[], short: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const prompt = ids(system)
    times.cold.push(await firstToken([...prompt, ...ids(question)]))
    times.warm.push(await firstToken([...prompt, ...ids(question)]))
    times.short.push(await firstToken(ids(question)))
  }
  for (const [name, values] of Object.entries(times)) console.log(`${name}: ${spread(values)} ms to the first token`)
  console.log(`cold / warm: ${spread(ratios(times.cold, times.warm))}`)
  console.log(`warm / the question alone: ${spread(ratios(times.warm, times.short))}`)
} finally {
  await Promise.all(peers.map(peer => peer.stop()))
}
