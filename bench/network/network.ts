// Round trips and throughput of frames between two processes on loopback: `node bench/network/network.ts`.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { tensor } from '../../common/tensor.ts'
import { MiB } from '../../common/units.ts'
import { createNetwork } from '../../network/node.ts'
import type { Message } from '../../proto/frame.ts'
import { median, spread } from '../tools/report.ts'

const protocol = '/swarmtune/bench-echo/1.0.0'

function message(bytes: number): Message {
  const data = new Float32Array(bytes / 4).fill(0.5)
  return {
    body: { kind: 'forwardResponse', residualId: '' },
    tensors: { hidden: tensor('float32', [data.length], data) }
  }
}

async function serve(): Promise<void> {
  const network = await createNetwork({ listen: ['/ip4/127.0.0.1/tcp/0'] })
  await network.handle(protocol, async stream => {
    for (let received = await stream.receive(); received; received = await stream.receive()) await stream.send(received)
  })
  await network.start()
  console.log(network.addresses[0])
}

async function times(count: number, run: () => Promise<unknown>): Promise<number[]> {
  for (let i = 0; i < count / 5; i++) await run()
  const elapsed: number[] = []
  for (let i = 0; i < count; i++) {
    const begin = performance.now()
    await run()
    elapsed.push(performance.now() - begin)
  }
  return elapsed
}

async function measure(): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const { value: address } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
    const peer = String(address).split('/p2p/')[1]!
    await using network = await createNetwork({ listen: [], join: [String(address)] })
    await network.start()
    const stream = await network.open(peer, protocol)
    const small = message(16 * 1024)
    const session = await times(2000, async () => {
      await stream.send(small)
      await stream.receive()
    })
    const requests = await times(500, () => network.request(peer, protocol, small))
    const pings = await times(200, () => network.ping(peer))
    console.log(`16 KiB echo on an open stream: ${median(session).toFixed(2)} ms`)
    console.log(`16 KiB request, a stream each: ${median(requests).toFixed(2)} ms`)
    console.log(`ping: ${median(pings).toFixed(2)} ms`)
    for (const codec of ['fp32', 'bf16', 'fp16'] as const) {
      const big = message(32 * MiB)
      const large = await times(5, () => network.request(peer, protocol, big, { codec }))
      const rates = large.map(elapsed => (2 * 32 * MiB) / 1e6 / (elapsed / 1000))
      console.log(
        `32 MiB of floats there in ${codec} and back in fp32: ${spread(large)} ms, ${spread(rates)} MB/s of floats`
      )
    }
  } finally {
    child.kill()
  }
}

await (process.argv[2] === 'serve' ? serve() : measure())
