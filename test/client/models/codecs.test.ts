// The same run of training with hidden states and gradients in each codec: how far its losses are from those in fp32.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type CodecOption, type Example, getPeftModel, type TrainOptions, train } from '../../../client/index.ts'
import { createNetwork } from '../../../network/node.ts'
import { layFrame, type Message, parseFrameHeader, prefixBytes } from '../../../proto/frame.ts'
import { collectAll } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const steps = 20
/** rows of ids without sense, to be learned by heart */
const examples: Example[] = Array.from({ length: 8 }, (_, row) => {
  const ids = Array.from({ length: 12 }, (_, at) => 3 + ((row * 37 + at * (row + 11)) % 200))
  return { ids, labels: ids.map((id, at) => (at < 4 ? -100 : id)) }
})
const settings: TrainOptions = {
  maxSteps: steps,
  perDeviceTrainBatchSize: 4,
  learningRate: 5e-3,
  padTokenId: 0,
  seed: 1
}

interface Run {
  readonly losses: number[]
  /** `name codec` of every float tensor that was sent; ports are all called so */
  readonly sent: Set<string>
  readonly skipped: number
}

let swarm: TestSwarm
let exact: Run

async function run(codec: CodecOption, options: Partial<TrainOptions> = {}): Promise<Run> {
  await using network = await createNetwork({ listen: [], join: swarm.join })
  await network.start()
  const sent = new Set<string>()
  const { request } = network
  network.request = (peer, protocol, message: Message, ...rest) => {
    for (const { name, dtype, codec: used } of layoutOf(message, rest[0]?.codec)) {
      if (dtype === 'float32') sent.add(`${name.replace(/^blocks\.\d+\..*/, 'port')} ${used}`)
    }
    return request.call(network, peer, protocol, message, ...rest)
  }
  await using base = await swarm.connect({ network, initialPeers: [], codec })
  const model = await getPeftModel(base, { peftType: 'LORA', r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] })
  const progress = await collectAll(train(model, examples, { ...settings, ...options }))
  const skipped = progress.filter(({ gradNorm }) => !Number.isFinite(gradNorm)).length
  return { losses: progress.map(({ loss }) => loss), sent, skipped }
}

function layoutOf(message: Message, codec: Parameters<typeof layFrame>[1]) {
  const { head, payloadBytes } = layFrame(message, codec)
  return parseFrameHeader(head.subarray(prefixBytes), payloadBytes).layout
}

/** The largest distance of a loss from that of the run in fp32. */
function deviation({ losses }: Run): number {
  assert.equal(losses.length, exact.losses.length)
  return Math.max(...losses.map((loss, step) => Math.abs(loss - exact.losses[step]!)))
}

describe('a run of training', () => {
  before(async () => {
    swarm = await startSwarm([
      [0, 4],
      [4, 8],
      [8, 12]
    ])
    exact = await run('fp32')
  })
  after(() => swarm[Symbol.asyncDispose]())

  it('is the same run twice in fp32, and learns', async () => {
    assert.deepEqual((await run('fp32')).losses, exact.losses)
    assert.ok(exact.losses.at(-1)! < 0.75 * exact.losses[0]!, `${exact.losses}`)
  })

  const rows: [string, CodecOption, number, Partial<TrainOptions>?][] = [
    ['fp16, the loss scaled', 'fp16', 2e-3, { lossScale: 'dynamic' }],
    ['fp16 gradients, not scaled', { gradients: 'fp16' }, 1e-3],
    ['bf16', 'bf16', 1.5e-2],
    ['int8', 'int8', 0.2],
    ['int8 activations', { activations: 'int8' }, 0.15],
    ['int8 gradients', { gradients: 'int8' }, 0.05]
  ]
  for (const [name, codec, bound, options] of rows) {
    it(`follows fp32 with ${name}`, async context => {
      const found = await run(codec, options)
      const off = deviation(found)
      const ends = [found, exact].map(({ losses }) => losses.at(-1)!.toFixed(4))
      context.diagnostic(`largest deviation of a loss ${off.toExponential(1)}; the last ${ends.join(', in fp32 ')}`)
      assert.equal(found.skipped, 0)
      assert.ok(off > 0 && off <= bound, `${off}`)
      const { activations = 'fp32', gradients = 'fp32' } =
        typeof codec === 'string' ? { activations: codec, gradients: codec } : codec
      assert.deepEqual(
        [...found.sent].sort(),
        [`grad.hidden ${gradients}`, `hidden ${activations}`, 'port fp32'].sort()
      )
    })
  }
})
