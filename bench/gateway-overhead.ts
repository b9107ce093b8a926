// What does the gateway add to a token? The same greedy answer by the SDK and as a stream of chat completions over a socket, in turns:
// `node bench/gateway-overhead.ts /tmp/llama-24x1024`. The HTTP client runs in the gateway's process, so its work counts, too.
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import { served } from '../testing/gateway.ts'
import { listen } from '../testing/gateway-server.ts'

const [path = '/tmp/llama-24x1024', rounds = '7'] = process.argv.slice(2)
const newTokens = 48
const content = 'The history of the house begins with a storm'

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

const servers = await startServers(
  path,
  [
    { first: 0, end: 12 },
    { first: 12, end: 24 }
  ],
  { args: ['--threads', '2', '--weights', 'prepacked'] }
)
const model = await AutoDistributedModelForCausalLM.fromPretrained(path, {
  initialPeers: [servers[0]!.address],
  threads: 2
})
const gateway = await listen([served(model)])
try {
  const body = {
    model: 'tiny',
    messages: [{ role: 'user', content }],
    max_tokens: newTokens,
    temperature: 0,
    stream: true
  }
  const person = {
    type: 'object',
    properties: { name: { type: 'string' }, notes: { type: 'array', items: { type: 'string' } } },
    required: ['name', 'notes'],
    additionalProperties: false
  }
  const format = { type: 'json_schema', json_schema: { name: 'person', strict: true, schema: person } }
  const stream = async (more: object): Promise<number> => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, ...more, stream_options: { include_usage: true } })
    })
    if (!answer.ok) throw new Error(await answer.text())
    const text = await answer.text()
    return Number(/"completion_tokens":(\d+)/.exec(text)![1])
  }
  const prompt = model.tokenizer.encode(`<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`)
  const direct = async (): Promise<number> => {
    let tokens = 0
    for await (const _ of model.generateStream([prompt], { maxNewTokens: newTokens, doSample: false })) tokens += 1
    return tokens
  }
  const ways: Readonly<Record<string, () => Promise<number>>> = {
    sdk: direct,
    http: () => stream({}),
    'http, json_schema': () => stream({ response_format: format })
  }
  const figures: Record<string, { ms: number[]; cpuMs: number[] }> = {}
  for (let round = 0; round <= Number(rounds); round++) {
    for (const [name, run] of Object.entries(ways)) {
      const cpu = process.cpuUsage()
      const begun = performance.now()
      const tokens = await run()
      const ms = (performance.now() - begun) / tokens
      const { user, system } = process.cpuUsage(cpu)
      // the first round warms up and compiles the grammar
      if (round === 0) continue
      figures[name] ??= { ms: [], cpuMs: [] }
      figures[name].ms.push(ms)
      figures[name].cpuMs.push((user + system) / 1000 / tokens)
    }
  }
  const sdk = figures.sdk!
  console.log(
    '| way | ms a token | ratio to the SDK, median of rounds | CPU ms a token of this process | more CPU, share of a step |\n|---|---|---|---|---|'
  )
  for (const [name, { ms, cpuMs }] of Object.entries(figures)) {
    const ratio = median(ms.map((value, round) => value / sdk.ms[round]!))
    const more = median(cpuMs) - median(sdk.cpuMs)
    console.log(
      `| ${name} | ${median(ms).toFixed(1)} | ${ratio.toFixed(3)} | ${median(cpuMs).toFixed(2)} | ${((100 * more) / median(sdk.ms)).toFixed(1)} % |`
    )
  }
} finally {
  await gateway.stop()
  await model.close()
  await Promise.all(servers.map(server => server.stop()))
}
