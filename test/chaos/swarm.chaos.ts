// What happens to a swarm as a whole: its bootstrap peers gone, clocks that differ.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startPeer } from '../../cli/peer/local-swarm.ts'
import { connect, generateGreedy, tell, withClient } from '../../testing/chaos/generation.ts'
import { end, startChaosSwarm } from '../../testing/chaos/swarm.ts'

const halves = [
  [0, 6],
  [6, 12]
] as const

it('lives on without its bootstrap peers', { timeout: 120_000 }, async () => {
  const bootstraps = await Promise.all([1, 2].map(() => startPeer(['bootstrap', '--host', '127.0.0.1', '--port', '0'])))
  const swarm = await startChaosSwarm(halves, { join: bootstraps.map(({ address }) => address) })
  try {
    await withClient(swarm, async client => {
      const trial = await generateGreedy(client, { 10: async () => void (await Promise.all(bootstraps.map(end))) })
      tell('all bootstrap peers killed', trial)
      // newcomers join by any server, and servers find each other without those that are gone
      const [first] = swarm.servers
      await swarm.add([0, 6], { join: [swarm.servers[1]!.peer.address] })
      await end(first!.peer)
    })
    await withClient(swarm, async client => {
      assert.notEqual(client.chain()[0], swarm.servers[0])
    })
  } finally {
    await Promise.all(bootstraps.map(end))
    await swarm[Symbol.asyncDispose]()
  }
})

for (const minutes of [-3, 3]) {
  it(`is not disturbed by a server whose clock is ${minutes} minutes off`, { timeout: 240_000 }, async () => {
    const swarm = await startChaosSwarm([[0, 6]])
    try {
      const odd = await swarm.add([6, 12], { clockMs: minutes * 60_000 })
      const client = await connect(swarm)
      try {
        await generateGreedy(client, {})
        // past the minute that is left of four, had announcements no more than that
        await new Promise(resolve => setTimeout(resolve, 70_000))
        const late = await connect(swarm)
        try {
          const trial = await generateGreedy(late, {})
          assert.equal(late.chain()[1], odd)
          assert.equal(late.replacements(), 0, 'the servers do not hand on to each other')
          tell(`a clock ${minutes} minutes off`, trial)
        } finally {
          await late[Symbol.asyncDispose]()
        }
        await generateGreedy(client, {})
      } finally {
        await client[Symbol.asyncDispose]()
      }
    } finally {
      await swarm[Symbol.asyncDispose]()
    }
  })
}
