// Training steps whose servers are lost: gradients, losses and adapters are byte for byte those of an undisturbed run.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, float32 } from '../../common/tensor.ts'
import { connect } from '../../testing/chaos/generation.ts'
import { type ChaosServer, type ChaosSwarm, root, startChaosSwarm } from '../../testing/chaos/swarm.ts'
import { tinyPath } from '../../testing/references.ts'

const run = promisify(execFile)
const random = createRandom(11)
const normal = (...shape: number[]): Float32Tensor =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal())
  )

const [batch, seq, width, rank] = [4, 64, 192, 4]
const hidden = normal(batch, seq, width)
const gradient = normal(batch, seq, width)
const ports = Object.fromEntries(
  Array.from({ length: 12 }, (_, block) => [
    [`blocks.${block}.lora.self_attn.q_proj.A`, normal(rank, width)],
    [`blocks.${block}.lora.self_attn.q_proj.B`, normal(width, rank)]
  ]).flat() as [string, Float32Tensor][]
)
const halves = [
  [0, 6],
  [6, 12],
  [0, 6],
  [6, 12]
] as const
/** of a request's tensors: less than one of them has */
const requestBytes = 100_000

type Moment = 'forward' | 'backward' | 'between'

describe('a training step', { timeout: 400_000 }, () => {
  let swarm: ChaosSwarm
  before(async () => {
    swarm = await startChaosSwarm(halves)
  })
  after(() => swarm?.[Symbol.asyncDispose]())

  /** One step; what goes wrong, and when, is said by `trouble`. */
  async function step(moment?: Moment, trouble: (server: ChaosServer) => void = () => {}) {
    const client = await connect(swarm)
    const watched = swarm.servers.filter(({ peer }) => !peer.process.killed)
    /** the first server that gets a request */
    const asked = (): Promise<ChaosServer> =>
      Promise.race(watched.map(server => server.proxy.carries(requestBytes).then(() => server)))
    const { h } = client.model.transformer
    try {
      // compiled, and servers found, before the clock runs
      const calm = await h.forward(hidden, { ports, keepResiduals: true })
      await calm.backward(gradient)
      const { retries } = h.traffic()
      const started = performance.now()
      const first = asked()
      if (moment === 'forward') void first.then(trouble)
      const pass = await h.forward(hidden, { ports, keepResiduals: true })
      if (moment === 'between') trouble(await first)
      if (moment === 'backward') void asked().then(trouble)
      const gradients = await pass.backward(gradient)
      return { pass, gradients, seconds: (performance.now() - started) / 1000, retries: h.traffic().retries - retries }
    } finally {
      await client[Symbol.asyncDispose]()
    }
  }

  const kill = (server: ChaosServer): void => void server.peer.process.kill('SIGKILL')
  const cases: readonly { what: string; moment: Moment; trouble: (server: ChaosServer) => void }[] = [
    { what: 'killed in forward', moment: 'forward', trouble: kill },
    { what: 'killed between forward and backward', moment: 'between', trouble: kill },
    { what: 'killed in backward', moment: 'backward', trouble: kill },
    { what: 'cut off in forward', moment: 'forward', trouble: ({ proxy }) => proxy.cut() },
    {
      what: 'frozen in backward',
      moment: 'backward',
      trouble: ({ peer }) => {
        peer.process.kill('SIGSTOP')
        setTimeout(() => peer.process.kill('SIGCONT'), 30_000).unref()
      }
    }
  ]
  for (const { what, moment, trouble } of cases) {
    it(`has the same gradients when a server is ${what}`, async () => {
      const calm = await step()
      let lost: ChaosServer | undefined
      const troubled = await step(moment, server => {
        lost = server
        trouble(server)
      })
      assert.ok(lost !== undefined, 'no server was in trouble')
      assert.ok(troubled.retries > 0, 'nothing was lost')
      assert.deepEqual(troubled.pass.hidden, calm.pass.hidden)
      assert.deepEqual(troubled.gradients.hidden, calm.gradients.hidden)
      for (const name of Object.keys(ports)) {
        assert.deepEqual(troubled.gradients.ports[name], calm.gradients.ports[name], name)
      }
      console.log(`    a server ${what}: ${Math.max(0, troubled.seconds - calm.seconds).toFixed(2)} s`)
      if (trouble === kill) await swarm.add([lost.blocks.first, lost.blocks.end])
      else lost.peer.process.kill('SIGCONT')
    })
  }

  it('and its run leave the same losses and the same adapter when a server is killed on the way', async () => {
    const train = async (name: string, onStep?: (step: number) => void) => {
      const output = join(swarm.home, name)
      const config = {
        model: tinyPath,
        train_file: join(root, 'data/capitals.jsonl'),
        output_dir: output,
        initial_peers: swarm.servers.filter(({ peer }) => !peer.process.killed).map(({ peer }) => peer.address),
        peft: { peft_type: 'LORA', r: 4, lora_dropout: 0.1, target_modules: ['q_proj', 'v_proj'] },
        max_steps: 10,
        per_device_train_batch_size: 5,
        learning_rate: 4e-3,
        save_steps: 10
      }
      const file = join(swarm.home, `${name}.yaml`)
      await writeFile(file, stringify(config))
      const running = run(process.execPath, [join(root, 'cli/bin.js'), 'train', '--config', file], { cwd: root })
      running.child.stdout!.on('data', (text: Buffer) => {
        for (const [, number] of text.toString().matchAll(/^(\d+)\/10 /gm)) onStep?.(Number(number))
      })
      await running
      const losses = (await readFile(join(output, 'metrics.jsonl'), 'utf8')).match(/"step":\d+|"loss":[\d.e-]+/g)
      return { adapter: await readFile(join(output, 'adapter_model.safetensors')), losses }
    }
    const whole = await train('whole')
    let [killed, killedAt, next] = [false, 0, 0]
    const troubled = await train('troubled', step => {
      if (step === 4) {
        killed = true
        killedAt = performance.now()
        // whichever the run uses: one of each half is left
        for (const first of [0, 6]) {
          swarm.servers
            .find(({ blocks, peer }) => blocks.first === first && !peer.process.killed)!
            .peer.process.kill('SIGKILL')
        }
      }
      if (step === 6) next = performance.now()
    })
    assert.ok(killed)
    assert.deepEqual(troubled.losses, whole.losses)
    assert.ok(troubled.adapter.equals(whole.adapter), 'the adapters differ')
    console.log(`    two servers killed in a run, two steps later: ${((next - killedAt) / 1000).toFixed(2)} s`)
  })
})
