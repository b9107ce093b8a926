// Measures how much sooner the first token of a chat's second turn arrives than that of its first, plain and with an adapter: servers have
// the history's keys and values, and the adapter's tensors. Two servers; a first turn of 1000 tokens, an answer, and a question.
//   node bench/second-turn.ts /tmp/llama-24x1024 [history=1000] [question=24] [answer=16] [rounds=3]
import { resolve } from 'node:path'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, type CausalModel, getPeftModel } from '../client/index.ts'
import { createRandom } from '../common/random.ts'
import { formatBytes } from '../common/units.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { ratios, spread } from './tools/report.ts'

const [folder = '/tmp/llama-24x1024', ...rest] = process.argv.slice(2)
const [history = 1000, question = 24, answer = 16, rounds = 3] = rest.map(Number)
const model = resolve(folder)
const { config } = await openCheckpoint(model)
const random = createRandom(Date.now())
const ids = (count: number): number[] => Array.from({ length: count }, () => random.integer(config.vocabSize))

/** Time to the first token, bytes sent until then, and all tokens of the answer. */
async function turn(over: CausalModel, prompt: readonly number[]) {
  const sent = over.network.traffic.sent
  const started = performance.now()
  const tokens: number[] = []
  let [ms, bytes] = [0, 0]
  for await (const { token } of over.generateStream([...prompt], { maxNewTokens: answer, eosTokenIds: [] })) {
    if (tokens.length === 0) [ms, bytes] = [performance.now() - started, over.network.traffic.sent - sent]
    tokens.push(token!)
  }
  return { ms, bytes, tokens }
}

const half = config.numBlocks >> 1
const peers = await startServers(model, [
  { first: 0, end: half },
  { first: half, end: config.numBlocks }
])
try {
  await using base = await AutoDistributedModelForCausalLM.fromPretrained(model, { initialPeers: [peers[0]!.address] })
  const tuned = (await getPeftModel(base, { peftType: 'LORA', r: 16, targetModules: 'all-linear' })).eval()
  for (const { name, data } of tuned.parameters()) {
    if (name.includes('lora_B')) for (const index of data.keys()) data[index] = 1e-3 * Math.sin(index)
  }
  for (const [name, over] of Object.entries({ 'no adapter': base, 'LoRA on all modules': tuned })) {
    await turn(over, ids(history)) // compiles
    const times = { first: [] as number[], second: [] as number[], alone: [] as number[] }
    let [first, second] = [0, 0]
    for (let round = 0; round < rounds; round++) {
      const prompt = ids(history)
      const one = await turn(over, prompt)
      const two = await turn(over, [...prompt, ...one.tokens, ...ids(question)])
      times.first.push(one.ms)
      times.second.push(two.ms)
      times.alone.push((await turn(over, ids(question))).ms)
      ;[first, second] = [one.bytes, two.bytes]
    }
    for (const [which, values] of Object.entries(times))
      console.log(`${name}, ${which}: ${spread(values)} ms to the first token`)
    console.log(`${name}, sent until then: ${formatBytes(first)} in turn 1, ${formatBytes(second)} in turn 2`)
    console.log(`${name}, turn 2 / turn 1: ${spread(ratios(times.second, times.first))}`)
  }
} finally {
  await Promise.all(peers.map(peer => peer.stop()))
}
