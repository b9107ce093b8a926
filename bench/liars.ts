// What a server costs that answers pings and is of no use. Four honest servers serve models/tiny; one more promises most and lies.
// A client in a process of its own generates without audits, then with audits; each client is then started again.
//   node bench/liars.ts [generations=4] [mode...]     modes: none truth nan inf slow:<ms> hole swallow drop:<n> noise:<share> zero
// `all-slow:<ms>` has no liar: every honest answer is late by as much. Then hedged requests cost servers work without a
// benefit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { AutoDistributedModelForCausalLM, describeAudits } from '../client/index.ts'
import { silent } from '../common/logger.ts'
import { createRandom } from '../common/random.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { Libp2pNetwork } from '../network/libp2p/network.ts'
import { FramedStream } from '../network/streams/message-stream.ts'
import { createServer, type ServerInit } from '../server/server.ts'

const tiny = resolve(import.meta.dirname, '..', 'models', 'tiny')
const maxNewTokens = 16
const greedy = JSON.parse(
  await readFile(resolve(import.meta.dirname, '..', 'test', 'reference', 'tiny-greedy.json'), 'utf8')
) as { alone: { ids: number[]; tokens: number[] }[] }
const { ids, tokens } = greedy.alone[0]!
const expected = tokens.slice(0, maxNewTokens).join()

async function serve(first: number, end: number, peers: readonly string[]) {
  const init: ServerInit = {
    checkpoint: await openCheckpoint(tiny),
    blocks: { first, end },
    dtype: 'float32',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: peers,
    cacheDir: join(tmpdir(), 'swarmtune-bench-cache'),
    storage: 'mapped',
    threads: 1
  }
  const server = await createServer(init)
  await server.start()
  return server
}

/** This process becomes a server of all blocks whose announcements promise most and whose results are changed on their way out. */
async function lie(mode: string, peers: readonly string[]): Promise<void> {
  const [name, argument] = mode.split(':') as [string, string?]
  const size = Number(argument)
  const random = createRandom(1)
  let answers = 0
  const change: Record<string, (value: number) => number> = {
    nan: () => Number.NaN,
    inf: () => Number.POSITIVE_INFINITY,
    zero: () => 0,
    noise: value => value * (1 + size * random.normal())
  }
  const send = FramedStream.prototype.send
  FramedStream.prototype.send = async function (message, options) {
    const { kind } = message.body
    if (name === 'hole' && kind === 'inferenceReady') return
    const isResult = ['inferenceResult', 'inferenceStep', 'forwardResponse', 'backwardResponse'].includes(kind)
    if (!isResult) return await send.call(this, message, options)
    answers += 1
    if (name === 'swallow' || (name === 'drop' && answers % size === 0)) return
    if (name === 'slow') await delay(size)
    const apply = change[name]
    if (apply === undefined) return await send.call(this, message, options)
    const changed = Object.entries(message.tensors).map(([key, value]) => {
      if (key !== 'hidden' && !key.startsWith('grad.')) return [key, value]
      return [key, { ...value, data: (value.data as Float32Array).map(apply) }]
    })
    await send.call(this, { ...message, tensors: Object.fromEntries(changed) }, options)
  }
  const announce = Libp2pNetwork.prototype.announce
  Libp2pNetwork.prototype.announce = function (fields, options) {
    const boast = { decodeRate: 3e6, forwardRate: 3e8, queueMs: 0, trainingQueueMs: 0, cacheBytesFree: 2 ** 50 }
    return announce.call(this, { ...fields, ...boast }, options)
  }
  await serve(0, 12, peers)
  console.log('online')
}

/**
 * This process generates again and again. It prints how long each took, the CPU time of this process, whether the tokens were right, chains of
 * servers that were opened, and requests asked twice.
 */
async function generate(count: number, probability: number, peers: readonly string[]): Promise<void> {
  let [hedged, chains] = [0, 0]
  const model = await AutoDistributedModelForCausalLM.fromPretrained(tiny, {
    initialPeers: peers,
    multicast: false,
    threads: 1,
    logger: {
      ...silent,
      debug: (_, message) => {
        if (message.endsWith('another is asked too')) hedged += 1
        if (message === 'session opened') chains += 1
      },
      info: (_, message) => {
        if (message === 'servers were replaced') chains += 1
      }
    },
    ...(probability > 0 && { audit: { probability } })
  })
  for (let round = 0; round < count; round++) {
    const started = performance.now()
    const before = process.cpuUsage()
    let outcome = 'right'
    try {
      const found: (number | null)[] = []
      for await (const { token } of model.generateStream(ids, { maxNewTokens })) found.push(token)
      if (found.join() !== expected) outcome = 'wrong'
    } catch {
      outcome = 'failed'
    }
    const { user, system } = process.cpuUsage(before)
    console.log(
      JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000, outcome, hedged, chains })
    )
  }
  const audits = await model.audits()
  if (audits !== null) for (const line of describeAudits(audits).slice(1)) console.error(line)
  await model.close()
}

/** Lines that a process of this file writes; it is stopped by the caller. */
function start(args: readonly string[], home: string) {
  const child = spawn(process.execPath, [import.meta.filename, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SWARM_HOME: home }
  })
  return { child, lines: createInterface({ input: child.stdout }) }
}

/** Delays results of this process's servers, in milliseconds; 0 undoes it. */
let honestDelayMs = 0
const promptSend = FramedStream.prototype.send
async function sendLate(this: FramedStream, ...[message, options]: Parameters<typeof promptSend>): Promise<void> {
  if (message.body.kind === 'inferenceResult') await delay(honestDelayMs)
  await promptSend.call(this, message, options)
}

async function measure(count: number, modes: readonly string[]): Promise<void> {
  const honest = [await serve(0, 6, [])]
  const peers = honest[0]!.addresses.slice(0, 1)
  for (const [first, end] of [
    [6, 12],
    [0, 6],
    [6, 12]
  ] as const)
    honest.push(await serve(first, end, peers))
  console.log(
    '| the liar | client | right of all | first, ms | others, median ms | all, s | client, CPU s | chains | asked twice |'
  )
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const mode of modes) {
    const [name, argument] = mode.split(':')
    honestDelayMs = name === 'all-slow' ? Number(argument) : 0
    FramedStream.prototype.send = honestDelayMs > 0 ? sendLate : promptSend
    const liar = name === 'none' || honestDelayMs > 0 ? null : start(['--liar', mode, ...peers], tmpdir())
    if (liar !== null) await once(liar.lines, 'line')
    await delay(1000)
    for (const audit of [0, 0.5]) {
      const home = await mkdtemp(join(tmpdir(), 'swarm-liars-'))
      for (const run of ['', ', started anew']) {
        const client = start(['--client', String(count), String(audit), ...peers], home)
        const results: { ms: number; cpuMs: number; outcome: string; hedged: number; chains: number }[] = []
        client.lines.on('line', line => results.push(JSON.parse(line)))
        await once(client.lines, 'close')
        const [first, ...others] = results.map(({ ms }) => Math.round(ms))
        const median = others.toSorted((a, b) => a - b)[others.length >> 1]
        const right = results.filter(({ outcome }) => outcome === 'right').length
        const all = (results.reduce((sum, { ms }) => sum + ms, 0) / 1000).toFixed(2)
        const row = [
          mode,
          `${audit ? `--audit ${audit}` : 'no audit'}${run}`,
          `${right} of ${count}`,
          first,
          median,
          all,
          (results.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1000).toFixed(2),
          results.at(-1)?.chains,
          results.at(-1)?.hedged
        ]
        console.log(`| ${row.join(' | ')} |`)
      }
      await rm(home, { recursive: true, force: true })
    }
    if (liar !== null) {
      const gone = once(liar.child, 'exit')
      liar.child.kill('SIGKILL')
      await gone
    }
  }
  await Promise.all(honest.map(server => server.stop()))
}

const [first, ...rest] = process.argv.slice(2)
if (first === '--liar') await lie(rest[0]!, rest.slice(1))
else if (first === '--client') await generate(Number(rest[0]), Number(rest[1]), rest.slice(2))
else
  await measure(
    Number(first ?? 4),
    rest.length > 0 ? rest : ['none', 'truth', 'nan', 'slow:1500', 'hole', 'swallow', 'drop:5', 'noise:0.05']
  )
