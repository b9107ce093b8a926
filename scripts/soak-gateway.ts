// A soak of the gateway: clients that disconnect, servers that die, bodies that are malformed, and readers that do not read.
// `node --expose-gc scripts/soak-gateway.ts --minutes 10`. Ends with status 1 where an answer is wrong, it fails, or something leaks.
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { silent } from '../common/logger.ts'
import { createRandom } from '../common/random.ts'
import { MiB, minute } from '../common/units.ts'
import { createGatewayContext } from '../gateway/http/api.ts'
import { createFineTuning } from '../gateway/jobs/index.ts'
import { ModelRegistry } from '../gateway/models/registry.ts'
import { createGateway } from '../gateway/server.ts'
import { memoryStore } from '../gateway/storage/store.ts'
import { connect } from '../testing/chaos/generation.ts'
import { type ChaosServer, end, startChaosSwarm } from '../testing/chaos/swarm.ts'
import { apiTarget } from '../testing/fuzz/targets/api.ts'
import { served } from '../testing/gateway.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } }
})
const random = createRandom(Number(values.seed))
/** more than after warming up */
const most = { heapMiB: 15, memoryMiB: 150, descriptors: 16 }
const halves = [
  [0, 6],
  [6, 12]
] as const

const swarm = await startChaosSwarm([])
const problems: string[] = []
const counts = { whole: 0, left: 0, slow: 0, malformed: 0, killed: 0, objects: 0 }
const failures: Record<string, number> = {}
process.on('uncaughtException', error => problems.push(`uncaught: ${error.stack}`))
process.on('unhandledRejection', error => problems.push(`unhandled: ${(error as Error)?.stack ?? error}`))
try {
  for (const range of halves) await swarm.add(range)
  const passing: ChaosServer[] = []
  for (const range of halves) passing.push(await swarm.add(range))
  const client = await connect(swarm)
  const registry = new ModelRegistry()
  registry.add(served(client.model, { contextLength: 256 }))
  const shared = { models: registry, store: memoryStore(), logger: silent }
  const context = createGatewayContext({ ...shared, ...createFineTuning(shared) }, { maxConcurrent: 16 })
  const gateway = createGateway(context, { port: 0 })
  await gateway.start()
  const seeds = await apiTarget.seeds()

  const post = (path: string, body: Uint8Array | string, signal?: AbortSignal): Promise<Response> =>
    fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body as string,
      signal
    })
  const chat = (more: object): string =>
    JSON.stringify({
      model: 'tiny',
      messages: [{ role: 'user', content: 'It was a dark' }],
      temperature: 0,
      max_tokens: 40,
      stream: true,
      ...more
    })
  let expected: string | undefined
  const textOf = (events: string): string =>
    [...events.matchAll(/^data: (\{.*\})$/gm)]
      .map(([, json]) => JSON.parse(json!).choices?.[0]?.delta?.content ?? '')
      .join('')

  const clients: Readonly<Record<string, () => Promise<void>>> = {
    async whole() {
      const text = await (await post('/v1/chat/completions', chat({}))).text()
      if (/"error"|: error/.test(text)) throw new Error(text.slice(-300))
      expected ??= textOf(text)
      if (textOf(text) !== expected) throw new Error(`other tokens: ${textOf(text)}`)
      counts.whole += 1
    },
    async left() {
      const stop = new AbortController()
      const answer = await post('/v1/chat/completions', chat({ n: 2 }), stop.signal)
      const reader = answer.body!.getReader()
      for (let reads = random.integer(6); reads > 0; reads--) await reader.read()
      stop.abort()
      counts.left += 1
    },
    async slow() {
      const answer = await post(
        '/api/generate',
        JSON.stringify({ model: 'tiny', prompt: 'It was', options: { num_predict: 30 } })
      )
      for await (const _ of answer.body!) await new Promise(resolve => setTimeout(resolve, 40))
      counts.slow += 1
    },
    async objects() {
      const schema = { type: 'object', properties: { a: { type: 'integer', maximum: 9, minimum: 0 } }, required: ['a'] }
      const format = { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } }
      const answer = await post(
        '/v1/chat/completions',
        chat({ stream: false, temperature: 1, response_format: format })
      )
      const { choices, error } = (await answer.json()) as {
        choices?: { message: { content: string }; finish_reason: string }[]
        error?: { message: string }
      }
      if (choices === undefined) throw new Error(error?.message)
      if (choices[0]!.finish_reason === 'stop') JSON.parse(choices[0]!.message.content)
      counts.objects += 1
    },
    async malformed() {
      const seed = seeds[random.integer(seeds.length)]!
      const input = random.integer(3) === 0 ? seed : apiTarget.mutate!(seed, random)
      const text = Buffer.from(input)
      const at = text.indexOf('\n')
      const [method = 'GET', path = '/'] = text.subarray(0, at).toString().split(' ')
      // nothing that trains, and nothing that is a person's
      if (method !== 'POST' || /fine_tuning|fine-tuning|files|keys/.test(path)) return
      const answer = await post(path, text.subarray(at + 1), AbortSignal.timeout(60_000))
      const said = await answer.text()
      if (answer.status >= 500 && answer.status !== 501)
        throw new Error(`${path}: ${answer.status} ${said.slice(0, 300)}`)
      counts.malformed += 1
    }
  }
  const kinds = Object.keys(clients)
  const attempt = async (kind: string): Promise<void> => {
    try {
      await clients[kind]!()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      failures[`${kind}: ${message.slice(0, 160)}`] = (failures[`${kind}: ${message.slice(0, 160)}`] ?? 0) + 1
    }
  }
  /** Twelve clients at once; a server dies meanwhile, and another takes its place. */
  const round = async (kills: boolean): Promise<void> => {
    const running = Array.from({ length: 12 }, () => attempt(kinds[random.integer(kinds.length)]!))
    if (kills) {
      const index = random.integer(passing.length)
      const server = passing[index]!
      await new Promise(resolve => setTimeout(resolve, 100 + random.integer(400)))
      server.peer.process.kill('SIGKILL')
      counts.killed += 1
      await Promise.all(running)
      await end(server.peer)
      await server.proxy.close()
      passing[index] = await swarm.add([server.blocks.first, server.blocks.end])
    } else await Promise.all(running)
    const health = await fetch(`${gateway.url}/healthz`)
    if (health.status !== 200) problems.push(`/healthz: ${health.status}`)
  }
  const measure = async () => {
    await new Promise(resolve => setTimeout(resolve, 5000))
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    const [, kib] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))!
    return {
      heapMiB: process.memoryUsage().heapUsed / MiB,
      memoryMiB: Number(kib) / 1024,
      descriptors: readdirSync('/proc/self/fd').length,
      running: context.admission.running,
      queued: context.admission.queued
    }
  }
  const text = (value: object): string =>
    JSON.stringify(value, (_, each) => (typeof each === 'number' ? Math.round(each) : each))
  for (let warm = 0; warm < 5; warm++) await round(warm === 2)
  const before = await measure()
  console.log('before', text(before))
  const until = performance.now() + Number(values.minutes) * minute
  for (let number = 0; performance.now() < until; number++) {
    await round(number % 4 === 3)
    if (number % 20 === 0) console.log(text({ ...counts, ...(await measure()) }))
  }
  const after = await measure()
  console.log('after ', text({ ...counts, ...after }))
  for (const key of ['heapMiB', 'memoryMiB', 'descriptors'] as const) {
    if (after[key] - before[key] > most[key]) problems.push(`${key} went from ${before[key]} to ${after[key]}`)
  }
  if (after.running + after.queued > 0) problems.push(`${after.running} generations run, ${after.queued} wait`)
  for (const [failure, count] of Object.entries(failures)) problems.push(`${count} times ${failure}`)
  await gateway.stop()
  await client[Symbol.asyncDispose]()
} finally {
  await swarm[Symbol.asyncDispose]()
}
for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? 'nothing wrong, nothing leaked' : `${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
