// Does `swarm serve --memory` hold under attack, and is an honest client served meanwhile? A server of its own process
// with 512 MiB, strangers from four addresses of the loopback interface, each attack for the given number of seconds:
//   announce  frames of 1 GiB are announced and not sent
//   hold      valid requests are sent but for their last byte
//   ignore    answers are not fetched
//   requests  whole requests, as many as the server takes
//   streams   streams on which nothing is said
//   idle      connections that do nothing, each with an identity of its own
// Prints the most that the server's process had in memory (VmHWM, Linux), and how long the honest client's generations of 16 tokens took.
//   node bench/memory/memory-attack.ts [seconds]
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { MiB, second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { protocols } from '../../proto/protocols.ts'
import { forwardFrame, Stranger } from '../../testing/flood.ts'
import { median } from '../tools/report.ts'

const seconds = Number(process.argv[2] ?? 15)
const model = join(import.meta.dirname, '../../models/tiny')
const checkpoint = await openCheckpoint(model)
const blocks = { first: 0, end: 12 }
const large = forwardFrame(checkpoint, { first: 0, end: 2 }, { seq: 1024, rank: 1600 })
const fitting = forwardFrame(checkpoint, blocks, { seq: 512, keepResiduals: true })
const huge = forwardFrame(checkpoint, blocks, { seq: 1, rank: 1 }).slice(0, 16)
new DataView(huge.buffer).setBigUint64(8, BigInt(2 ** 30 - 4096), true)
const { alone } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../test/reference/tiny-greedy.json'), 'utf8')
) as {
  alone: { ids: number[]; tokens: number[] }[]
}
const { ids, tokens } = alone[0]!
const sources = ['127.0.0.1', '127.0.0.77', '127.0.0.78', '127.0.0.79']

/** Once or again and again, by one stranger. */
const attacks: Record<string, (stranger: Stranger) => Promise<void>> = {
  none: async () => await new Promise(resolve => setTimeout(resolve, 1 * second)),
  announce: async stranger => void (await stranger.open(protocols.forward)).send(huge.slice()),
  hold: stranger => stranger.hold(protocols.forward, large),
  ignore: stranger => stranger.ignoreAnswer(protocols.forward, fitting),
  requests: async stranger => void (await stranger.open(protocols.forward)).send(fitting.slice()),
  streams: async stranger => void (await stranger.open(protocols.inference)),
  idle: async stranger => void (await stranger.open(protocols.info))
}

for (const [name, attack] of Object.entries(attacks)) {
  const args = ['--blocks', '0-12', '--memory', '512MiB', '--host', '127.0.0.1', '--no-identity', '--threads', '1']
  await using server = await startPeer(['serve', model, ...args])
  const status = () => readFileSync(`/proc/${server.process.pid}/status`, 'utf8')
  const most = () => Number(/^VmHWM:\s+(\d+) kB/m.exec(status())![1]) / 1024
  const honest = await AutoDistributedModelForCausalLM.fromPretrained(model, {
    initialPeers: [server.address],
    threads: 1,
    multicast: false
  })
  const strangers: Stranger[] = []
  const end = performance.now() + seconds * second
  const flood = sources.map(async source => {
    let own: Stranger | undefined
    for (let count = 0; performance.now() < end; count++) {
      // a few identities at each address; for idle connections a new one each
      const isNew = own === undefined || name === 'idle' || count % 50 === 49
      if (isNew && strangers.length < 200) {
        own = await Stranger.meet(server.address, source)
        strangers.push(own)
      }
      await attack(own!).catch(() => new Promise(resolve => setTimeout(resolve, 20)))
      await new Promise(resolve => setImmediate(resolve))
    }
  })
  const times: number[] = []
  let failed = 0
  while (performance.now() < end) {
    const begin = performance.now()
    const found: number[] = []
    try {
      for await (const { token } of honest.generateStream(ids, { maxNewTokens: 16 })) found.push(token!)
      if (found.join() !== tokens.slice(0, 16).join()) throw new Error(`wrong tokens ${found}`)
      times.push(performance.now() - begin)
    } catch (error) {
      failed++
      console.log(`  ${name}: ${(error as Error).message.slice(0, 200)}`)
    }
  }
  await Promise.all(flood)
  const sent = strangers.reduce((sum, stranger) => sum + stranger.sent, 0) / MiB
  console.log(
    `${name.padEnd(9)} at most ${most().toFixed(0)} MiB of 512 MiB; ${strangers.length} identities, ${sent.toFixed(0)} MiB of frames; ` +
      `honest: ${times.length} generations, ${failed} failed, ${times.length > 0 ? median(times).toFixed(0) : '-'} ms`
  )
  await honest.close()
  await Promise.all(strangers.map(stranger => stranger[Symbol.asyncDispose]()))
}
process.exit(0)
