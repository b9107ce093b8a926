// 200 streams at once through one gateway over two servers, of three keys that ask unequally: no error, memory flat, and a table of what
// each key got: `node --expose-gc bench/gateway-load.ts [rounds]`.
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import { silent } from '../common/logger.ts'
import { MiB } from '../common/units.ts'
import { createGatewayContext } from '../gateway/http/api.ts'
import { createFineTuning } from '../gateway/jobs/index.ts'
import { ModelRegistry } from '../gateway/models/registry.ts'
import { createGateway } from '../gateway/server.ts'
import { memoryStore } from '../gateway/storage/store.ts'
import { served } from '../testing/gateway.ts'

const rounds = Number(process.argv[2] ?? 3)
const newTokens = 24
/** streams of each key at once: 200 */
const shares: Readonly<Record<string, number>> = { many: 160, some: 30, few: 10 }
/** fewer than there are streams, so that turns matter */
const maxConcurrent = 32

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!

const servers = await startServers('models/tiny', [
  { first: 0, end: 6 },
  { first: 6, end: 12 }
])
const model = await AutoDistributedModelForCausalLM.fromPretrained('models/tiny', {
  initialPeers: [servers[0]!.address],
  home: null
})
const registry = new ModelRegistry()
registry.add(served(model))
const store = memoryStore()
const shared = { models: registry, store, logger: silent }
const context = createGatewayContext({ ...shared, ...createFineTuning(shared) }, { auth: 'keys', maxConcurrent })
const gateway = createGateway(context, { port: 0 })
await gateway.start()
let errors = 0
try {
  const keys = Object.fromEntries(Object.keys(shares).map(name => [name, store.keys.create({ name }).key]))
  interface Stream {
    readonly firstMs: number
    readonly ms: number
  }
  const stream = async (key: string, number: number): Promise<Stream | null> => {
    const begun = performance.now()
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model: 'tiny',
        messages: [{ role: 'user', content: `It was a dark night, number ${number}` }],
        max_tokens: newTokens,
        seed: number,
        stream: true
      })
    })
    let firstMs: number | undefined
    let text = ''
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      if (firstMs === undefined && /"content":"[^"]/.test(text)) firstMs = performance.now() - begun
    }
    const isWhole = answer.ok && text.trimEnd().endsWith('[DONE]') && !text.includes('"error"')
    if (!isWhole) {
      errors += 1
      console.error(answer.status, text.slice(-400))
      return null
    }
    const ms = performance.now() - begun
    return { firstMs: firstMs ?? ms, ms }
  }
  const heapMiB = async (): Promise<number> => {
    await new Promise(resolve => setTimeout(resolve, 500))
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    return process.memoryUsage().heapUsed / MiB
  }
  const rssMiB = (): number => process.memoryUsage().rss / MiB
  const all: Record<string, Stream[]> = { many: [], some: [], few: [] }
  for (let round = 0; round <= rounds; round++) {
    const begun = performance.now()
    const tasks = Object.entries(shares).flatMap(([name, count]) =>
      Array.from({ length: count }, async (_, at) => {
        const result = await stream(keys[name]!, round * 1000 + at)
        if (result !== null && round > 0) all[name]!.push(result)
      })
    )
    await Promise.all(tasks)
    const seconds = (performance.now() - begun) / 1000
    console.log(
      `round ${round}: ${tasks.length} streams, ${((tasks.length * newTokens) / seconds).toFixed(0)} tokens/s, ${errors} errors, ` +
        `heap ${(await heapMiB()).toFixed(1)} MiB, RSS ${rssMiB().toFixed(0)} MiB`
    )
  }
  console.log(
    '\n| key | streams at once | time to first token, median, p95 | whole answer, median, p95 |\n|---|---|---|---|'
  )
  for (const [name, results] of Object.entries(all)) {
    const seconds = (pick: (stream: Stream) => number, share: number): string =>
      (quantile(results.map(pick), share) / 1000).toFixed(1)
    console.log(
      `| ${name} | ${shares[name]} | ${seconds(one => one.firstMs, 0.5)}, ${seconds(one => one.firstMs, 0.95)} s | ` +
        `${seconds(one => one.ms, 0.5)}, ${seconds(one => one.ms, 0.95)} s |`
    )
  }
} finally {
  await gateway.stop()
  await model.close()
  await Promise.all(servers.map(server => server.stop()))
}
process.exitCode = errors > 0 ? 1 : 0
