// What a swarm's secret costs: the same echo over an open and a private connection in turns: `node bench/network/private-swarm.ts`.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { tensor } from '../../common/tensor.ts'
import { KiB, MiB } from '../../common/units.ts'
import { createNetwork, type NetworkInit } from '../../network/node.ts'
import type { Message } from '../../proto/frame.ts'
import { median, spread } from '../tools/report.ts'

const protocol = '/swarmtune/bench-echo/1.0.0'
const kinds: Record<string, NetworkInit> = { open: {}, private: { secret: new Uint8Array(32).fill(7) } }

function message(bytes: number): Message {
  const hidden = tensor('float32', [bytes / 4], new Float32Array(bytes / 4).fill(0.5))
  return { body: { kind: 'forwardResponse', residualId: '' }, tensors: { hidden } }
}

async function serve(kind: string): Promise<void> {
  const network = await createNetwork({ listen: ['/ip4/127.0.0.1/tcp/0'], ...kinds[kind] })
  await network.handle(protocol, async stream => {
    for (let received = await stream.receive(); received; received = await stream.receive()) await stream.send(received)
  })
  await network.start()
  console.log(network.addresses[0])
}

async function measure(): Promise<void> {
  const children = Object.keys(kinds).map(kind =>
    spawn(process.execPath, [import.meta.filename, kind], { stdio: ['ignore', 'pipe', 'inherit'] })
  )
  try {
    const echoes = await Promise.all(
      Object.values(kinds).map(async (init, i) => {
        const { value: address } = await createInterface({ input: children[i]!.stdout })[Symbol.asyncIterator]().next()
        const network = await createNetwork({ listen: [], join: [String(address)], ...init })
        await network.start()
        const stream = await network.open(String(address).split('/p2p/')[1]!, protocol)
        return async (sent: Message, count: number) => {
          const begin = performance.now()
          for (let n = 0; n < count; n++) {
            await stream.send(sent)
            await stream.receive()
          }
          return (performance.now() - begin) / count
        }
      })
    )
    for (const [what, bytes, count] of [
      ['16 KiB', 16 * KiB, 200],
      ['16 MiB', 16 * MiB, 2]
    ] as const) {
      const sent = message(bytes)
      for (const echo of echoes) await echo(sent, count)
      const pairs: number[][] = []
      for (let round = 0; round < 12; round++)
        pairs.push(await Promise.all([await echoes[0]!(sent, count), await echoes[1]!(sent, count)]))
      const [open, secret] = [0, 1].map(i => median(pairs.map(pair => pair[i]!)))
      console.log(
        `${what} there and back: open ${open!.toFixed(2)} ms, private ${secret!.toFixed(2)} ms, ratio ${spread(pairs.map(([a, b]) => b! / a!))}`
      )
    }
  } finally {
    for (const child of children) child.kill()
  }
  process.exit()
}

await (process.argv[2] === undefined ? measure() : serve(process.argv[2]))
