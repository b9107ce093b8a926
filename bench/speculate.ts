// How much faster is one generation with guesses, and how does that change with the way to the servers? Two servers; with and without prompt
// lookup (and a draft model) in turns, at several round trips between the client and the swarm, which are added in the client.
//   node bench/speculate.ts models/tiny [tokens=64] [guesses=6] [rounds=3] [draft model]
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PeerProcess, startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, type GenerationOptions, openLocalDraft } from '../client/index.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { createNetwork } from '../network/node.ts'
import { ratios, spread } from './tools/report.ts'

const [folder = 'models/tiny', ...rest] = process.argv.slice(2)
const [maxNewTokens = 64, guesses = 6, rounds = 3] = rest.slice(0, 3).map(Number)
const model = resolve(folder)
const { config } = await openCheckpoint(model)
const half = config.numBlocks >> 1
const text = readFileSync(new URL('held-out.txt', import.meta.url), 'utf8')
const prompts = Array.from({ length: rounds }, (_, round) => text.slice(2000 * round, 2000 * round + 600))

let oneWayMs = 0
let peers: PeerProcess[] = []
try {
  const ranges = [
    { first: 0, end: half },
    { first: half, end: config.numBlocks }
  ]
  peers = await startServers(model, ranges)
  await using network = await createNetwork({ listen: [], join: [peers[0]!.address] })
  await network.start()
  const { open } = network
  network.open = async (...given) => {
    const stream = await open.apply(network, given)
    const { send, receive } = stream
    stream.send = async (...sent) => {
      await sleep(oneWayMs)
      return await send.apply(stream, sent)
    }
    stream.receive = async (...asked) => {
      const message = await receive.apply(stream, asked)
      await sleep(oneWayMs)
      return message
    }
    return stream
  }
  await using client = await AutoDistributedModelForCausalLM.fromPretrained(model, { network })
  const ways: Record<string, GenerationOptions> = {
    'no guesses': {},
    'prompt lookup': { promptLookupNumTokens: guesses }
  }
  const [, , , path] = rest
  if (path !== undefined) {
    const draft = await openLocalDraft(path, { cacheDir: join(tmpdir(), 'swarmtune-bench-cache') })
    ways[`draft ${path}`] = { draft, numAssistantTokens: guesses }
  }
  const rateOf = async (prompt: string, options: GenerationOptions): Promise<number> => {
    let [tokens, started] = [0, 0]
    for await (const _ of client.generateStream(prompt, { maxNewTokens, ...options })) {
      if (tokens === 0) started = performance.now()
      tokens += 1
    }
    return ((tokens - 1) * 1000) / (performance.now() - started)
  }
  for (const options of Object.values(ways)) await rateOf(prompts[0]!, options)
  for (const roundTripMs of [0, 20, 50, 100]) {
    oneWayMs = roundTripMs / 2
    const rates: Record<string, number[]> = {}
    const passes = { proposed: 0, accepted: 0 }
    for (const prompt of prompts) {
      for (const [name, options] of Object.entries(ways)) {
        const onSpeculation = (pass: { proposed: number; accepted: number }): void => {
          if (name !== 'prompt lookup') return
          passes.proposed += pass.proposed
          passes.accepted += pass.accepted
        }
        rates[name] = [...(rates[name] ?? []), await rateOf(prompt, { ...options, onSpeculation })]
      }
    }
    for (const [name, values] of Object.entries(rates)) {
      const gain = name === 'no guesses' ? '' : `, ${spread(ratios(values, rates['no guesses']!))} times`
      console.log(`${roundTripMs} ms, ${name}: ${spread(values)} tokens/s${gain}`)
    }
    console.log(`${roundTripMs} ms: prompt lookup guessed ${passes.accepted} of ${passes.proposed}`)
  }
} finally {
  await Promise.all(peers.map(peer => peer.stop()))
}
