// How long do a decoded token and a LoRA step take through two servers on loopback? Prints one line of JSON; to compare two builds,
// run it in their checkouts in turns: `node bench/decode-and-step.ts /tmp/llama-24x1024`.
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, getPeftModel } from '../client/index.ts'

const [path = '/tmp/llama-24x1024'] = process.argv.slice(2)
const rounds = 5
const newTokens = 32
const prompt = [11, 222, 1333, 2444, 555, 66, 777, 888]
const ids = Array.from({ length: 128 }, (_, index) => ((index * 37 + 11) % 2989) + 11)

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1]!

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

const halves = [
  { first: 0, end: 12 },
  { first: 12, end: 24 }
]
const servers = await startServers(path, halves, { args: ['--threads', '2', '--weights', 'prepacked'] })
try {
  const options = { initialPeers: [servers[0]!.address], threads: 2 }
  const model = await AutoDistributedModelForCausalLM.fromPretrained(path, options)
  const tokens: number[] = []
  for (let round = 0; round < rounds; round++) {
    tokens.push((await timed(() => model.generate([prompt], { maxNewTokens: newTokens }))) / newTokens)
  }
  const tuned = await getPeftModel(model, {
    peftType: 'LORA',
    r: 8,
    loraAlpha: 16,
    targetModules: ['q_proj', 'v_proj']
  })
  const steps: number[] = []
  for (let round = 0; round < rounds; round++) {
    steps.push(
      await timed(async () => {
        const { loss } = await tuned.forward({ inputIds: [ids], labels: [ids] })
        await loss!.backward()
      })
    )
  }
  // the first step compiles
  const warm = steps.slice(1)
  console.log(
    JSON.stringify({
      tokenMs: median(tokens),
      leastTokenMs: Math.min(...tokens),
      stepMs: median(warm),
      leastStepMs: Math.min(...warm)
    })
  )
  await model.close()
} finally {
  await Promise.all(servers.map(server => server.stop()))
}
