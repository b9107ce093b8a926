// Servers that die, freeze and come back in the middle of a generation.
import { after, before, describe, it } from 'node:test'
import { type ChaosClient, connect, generate, tell } from './generation.ts'
import { type ChaosSwarm, startSwarm } from './swarm.ts'

const replicas = [
  [0, 4],
  [4, 8],
  [8, 12],
  [0, 4],
  [4, 8],
  [8, 12]
] as const

describe('a generation through three servers', { timeout: 300_000 }, () => {
  let swarm: ChaosSwarm
  before(async () => {
    swarm = await startSwarm(replicas)
  })
  after(() => swarm?.[Symbol.asyncDispose]())

  const withClient = async (run: (client: ChaosClient) => Promise<void>): Promise<void> => {
    const client = await connect(swarm)
    try {
      await generate(client, {}) // compiled, and measured
      await run(client)
    } finally {
      await client[Symbol.asyncDispose]()
    }
  }

  for (const [hop, step] of [
    [0, 7],
    [1, 20],
    [2, 40]
  ] as const) {
    it(`goes on when server ${hop} is killed after ${step} tokens`, () =>
      withClient(async client => {
        const trial = await generate(client, {
          [step]: chain => void chain[hop]!.peer.process.kill('SIGKILL')
        })
        tell(`kill ${hop}`, trial)
        const { first, end } = client.chain()[hop]!.blocks
        await swarm.add([first, end])
      }))
  }

  for (const hop of [0, 1, 2]) {
    it(`goes on when server ${hop} freezes, and when it thaws`, () =>
      withClient(async client => {
        let frozen = client.chain()[hop]!
        const trial = await generate(client, {
          10: chain => {
            frozen = chain[hop]!
            frozen.peer.process.kill('SIGSTOP')
          },
          40: () => void frozen.peer.process.kill('SIGCONT')
        })
        tell(`freeze ${hop}`, trial)
      }))
  }
})
