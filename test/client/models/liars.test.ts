// Generations and training steps beside a real server that promises most and is no use: the same tokens and gradients as without it,
// soon, and nothing lost to it the next time.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { type DistributedModelForCausalLM, getPeftModel } from '../../../client/index.ts'
import { createRandom } from '../../../common/random.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { createLyingServer, type LyingServer, nothing } from '../../../testing/lying-server.ts'
import { readReference, tinyPath } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const greedy = readReference<{ alone: { ids: number[]; tokens: number[] }[] }>('tiny-greedy.json')
const { ids, tokens } = greedy.alone[0]!
const maxNewTokens = 12

describe('beside a server that promises most and is no use', () => {
  let swarm: TestSwarm
  let liar: LyingServer
  let network: Network
  const homes: string[] = []

  before(async () => {
    swarm = await startSwarm([
      [0, 6],
      [6, 12],
      [0, 6],
      [6, 12]
    ])
    liar = await addLiar([0, 12])
    network = await createNetwork({ listen: [], join: swarm.join })
    await network.start()
  })

  after(async () => {
    await network?.stop()
    await liar?.server.stop()
    await swarm?.[Symbol.asyncDispose]()
    for (const home of homes) await rm(home, { recursive: true, force: true })
  })

  async function addLiar([first, end]: readonly [number, number]): Promise<LyingServer> {
    const added = await createLyingServer(
      {
        checkpoint: await openCheckpoint(tinyPath),
        blocks: { first, end },
        listen: ['/ip4/127.0.0.1/tcp/0'],
        join: swarm.join,
        cacheDir: join(tmpdir(), 'swarmtune-test-cache'),
        storage: 'mapped',
        threads: 2
      },
      null,
      { boasts: true }
    )
    await added.server.start()
    return added
  }

  async function connect(context: TestContext): Promise<{ model: DistributedModelForCausalLM; home: string }> {
    const home = await mkdtemp(join(tmpdir(), 'swarm-liars-'))
    homes.push(home)
    const model = await swarm.connect({ home, network: near(network) })
    context.after(() => model.close())
    return { model, home }
  }

  /** The liar is the nearest, whatever this machine is busy with. */
  function near(real: Network): Network {
    return new Proxy(real, {
      get(target, name) {
        if (name === 'ping') return async (peerId: string) => (peerId === liar.server.peerId ? 0 : 40)
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  }

  /** What the client's home says of servers, by the end of their peer ids. */
  async function blamed(home: string): Promise<[string, string][]> {
    const folder = join(home, 'blame')
    const names = await readdir(folder).catch(() => [])
    const all = await Promise.all(
      names.map(async name => {
        const { counts } = JSON.parse(await readFile(join(folder, name), 'utf8')) as { counts: { offence: string }[] }
        return counts.map(({ offence }): [string, string] => [name.replace('.json', ''), offence])
      })
    )
    return all.flat()
  }

  const conditions = [
    { name: 'answers with NaN', offence: 'not finite', begin: (server: LyingServer) => server.tell(nothing) },
    { name: 'opens no session', offence: 'late', begin: (server: LyingServer) => server.hold(['inferenceReady']) },
    { name: 'keeps results', offence: 'late', begin: (server: LyingServer) => server.hold(['inferenceResult']) },
    { name: 'is slow', offence: 'late', begin: (server: LyingServer) => server.hold(['inferenceResult'], 1500) }
  ]
  for (const { name, offence, begin } of conditions) {
    it(`generates the same tokens where it ${name}, and asks it no more`, async context => {
      const { model, home } = await connect(context)
      begin(liar)
      const lies = liar.lies()
      assert.deepEqual(await model.generate(ids, { maxNewTokens }), [[...ids, ...tokens.slice(0, maxNewTokens)]])
      const first = liar.lies()
      assert.ok(first > lies)
      assert.deepEqual(await model.generate(ids, { maxNewTokens }), [[...ids, ...tokens.slice(0, maxNewTokens)]])
      assert.equal(liar.lies(), first)
      await model.close()
      liar.tell(null)
      liar.hold([])
      assert.deepEqual(await blamed(home), [[liar.server.peerId, offence]])
    })
  }

  it('trains with the same loss and gradients where it answers passes with NaN or not at all', async context => {
    const gradients: Float32Array[][] = []
    for (const begin of [
      () => {},
      () => liar.tell(nothing),
      () => liar.hold(['forwardResponse']),
      () => liar.hold(['backwardResponse'])
    ]) {
      const { model } = await connect(context)
      const tuned = await getPeftModel(model, {
        peftType: 'LORA',
        r: 2,
        loraAlpha: 4,
        targetModules: ['q_proj'],
        initLoraWeights: true
      })
      const random = createRandom(3)
      for (const { data } of tuned.parameters()) data.set(data.map(() => 0.02 * random.normal()))
      begin()
      const lies = liar.lies()
      const { loss } = await tuned.forward(
        { inputIds: [tokens.slice(0, 8)], labels: [tokens.slice(0, 8)] },
        { training: true }
      )
      await loss.backward()
      assert.equal(liar.lies() > lies, gradients.length > 0)
      gradients.push([Float32Array.of(loss.value), ...tuned.parameters().map(({ grad }) => grad!)])
      await model.close()
      liar.tell(null)
      liar.hold([])
    }
    const [expected, ...others] = gradients
    for (const found of others) {
      for (const [index, values] of found.entries()) assert.ok(relative(values, expected![index]!) < 1e-5)
    }
  })

  it('finds which server of a chain answers with NaN', async context => {
    await liar.server.stop()
    liar = await addLiar([6, 12])
    const { model, home } = await connect(context)
    liar.tell(nothing)
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await model.generate(ids, { maxNewTokens }), [[...ids, ...tokens.slice(0, maxNewTokens)]])
    }
    await model.close()
    assert.deepEqual(await blamed(home), [[liar.server.peerId, 'not finite']])
  })
})
