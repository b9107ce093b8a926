// Servers that die, freeze and come back in the middle of a generation.
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { generateGreedy, tell, withClient } from '../../testing/chaos/generation.ts'
import { type ChaosSwarm, end, startChaosSwarm } from '../../testing/chaos/swarm.ts'

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
    swarm = await startChaosSwarm(replicas)
  })
  after(() => swarm?.[Symbol.asyncDispose]())

  for (const [hop, step] of [
    [0, 7],
    [1, 20],
    [2, 40]
  ] as const) {
    it(`goes on when server ${hop} is killed after ${step} tokens`, () =>
      withClient(swarm, async client => {
        const trial = await generateGreedy(client, {
          [step]: chain => void chain[hop]!.peer.process.kill('SIGKILL')
        })
        tell(`server ${hop} killed`, trial)
        const { first, end: last } = client.chain()[hop]!.blocks
        await swarm.add([first, last])
      }))
  }

  for (const hop of [0, 1, 2]) {
    it(`goes on when server ${hop} freezes, and when it thaws`, () =>
      withClient(swarm, async client => {
        let frozen = client.chain()[hop]!
        try {
          const trial = await generateGreedy(client, {
            10: chain => {
              frozen = chain[hop]!
              frozen.peer.process.kill('SIGSTOP')
            },
            40: () => void frozen.peer.process.kill('SIGCONT')
          })
          tell(`server ${hop} frozen`, trial)
        } finally {
          frozen.peer.process.kill('SIGCONT')
        }
      }))
  }
})

it('a server that was killed is used again when it is back with its identity', { timeout: 120_000 }, async () => {
  const swarm = await startChaosSwarm([[0, 6]])
  try {
    const identity = ['--identity', join(swarm.home, 'identity')]
    const killed = await swarm.add([6, 12], { args: identity })
    await withClient(swarm, async client => {
      const trial = await generateGreedy(client, {
        20: async () => {
          await end(killed.peer)
          await swarm.add([6, 12], { args: identity, place: killed })
        }
      })
      tell('restarted with the same identity, once it is up', trial)
    })
  } finally {
    await swarm[Symbol.asyncDispose]()
  }
})
