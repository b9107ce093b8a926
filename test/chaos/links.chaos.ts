// Links between peers that all live: partitions, slow ones, lossy ones.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { generateGreedy, tell, withClient } from '../../testing/chaos/generation.ts'
import { type ChaosSwarm, startChaosSwarm } from '../../testing/chaos/swarm.ts'

const client127 = '127.0.0.1'

describe('a generation over bad links', { timeout: 400_000 }, () => {
  let swarm: ChaosSwarm
  before(async () => {
    swarm = await startChaosSwarm([
      [0, 6],
      [6, 12],
      [0, 6],
      [6, 12]
    ])
  })
  after(() => swarm?.[Symbol.asyncDispose]())
  const clear = (): void => {
    for (const { proxy } of swarm.servers) proxy.clear()
  }

  for (const hop of [0, 1]) {
    it(`goes on when the client loses sight of server ${hop}`, () =>
      withClient(swarm, async client => {
        const trial = await generateGreedy(client, {
          10: chain => chain[hop]!.proxy.set({ isFrozen: true }, client127),
          40: clear
        })
        tell(`client without server ${hop}`, trial)
      }).finally(clear))
  }

  it('goes on when two servers lose sight of each other, both in sight of the client', () =>
    withClient(swarm, async client => {
      const trial = await generateGreedy(client, {
        10: ([first, second]) => {
          first!.proxy.set({ isFrozen: true }, second!.source)
          second!.proxy.set({ isFrozen: true }, first!.source)
        }
      })
      tell('two servers without each other', trial)
    }).finally(clear))

  it('is only slower when a server is far away behind a narrow link', () =>
    withClient(swarm, async client => {
      const trial = await generateGreedy(client, {
        10: chain => chain[1]!.proxy.set({ delayMs: 100, bytesPerSecond: 50_000 }),
        30: clear
      })
      tell('a slow peer, longest step', trial)
    }).finally(clear))

  it('goes on when connections break in the middle of frames', () =>
    withClient(swarm, async client => {
      const trial = await generateGreedy(client, {
        10: chain => chain[0]!.proxy.cutAfter(500),
        25: chain => chain[1]!.proxy.cutAfter(100),
        40: () => {
          for (const { proxy } of swarm.servers) proxy.cutAfter(1000)
        }
      })
      tell('connections cut in the middle of frames', trial)
    }))

  it('goes on when bytes are corrupted, which the encryption notices', () =>
    withClient(swarm, async client => {
      const before = client.chain().reduce((sum, { proxy }) => sum + proxy.corrupted, 0)
      const trial = await generateGreedy(client, {
        10: chain => chain[0]!.proxy.corrupt('*', 100),
        30: () => {
          for (const { proxy } of swarm.servers) proxy.corrupt('*', 100)
        }
      })
      const corrupted = swarm.servers.reduce((sum, { proxy }) => sum + proxy.corrupted, 0) - before
      assert.ok(corrupted > 0, 'no byte was corrupted')
      tell(`${corrupted} pieces corrupted`, trial)
    }))
})
