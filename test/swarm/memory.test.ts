// A server of its own process under attack: what it was given as --memory is what it takes, and an honest client is served.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { MiB, minute } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { protocols } from '../../proto/protocols.ts'
import { forwardFrame, Stranger } from '../../testing/flood.ts'

const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')

/** The most bytes that a process has had in memory. */
function mostMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024
}

const skip = process.platform !== 'linux' && 'reads /proc, and attacks from 127.0.0.x'

test('a server under attack stays within --memory and serves an honest client', {
  skip,
  timeout: 2 * minute
}, async () => {
  const memory = 512 * MiB
  const checkpoint = await openCheckpoint(model)
  const { alone } = JSON.parse(readFileSync(join(root, 'test/reference/tiny-greedy.json'), 'utf8')) as {
    alone: { ids: number[]; tokens: number[] }[]
  }
  const { ids, tokens } = alone[0]!
  const args = ['--blocks', '0-12', '--memory', '512MiB', '--host', '127.0.0.1', '--no-identity', '--threads', '1']
  await using server = await startPeer(['serve', model, ...args])
  const honest = await AutoDistributedModelForCausalLM.fromPretrained(model, {
    initialPeers: [server.address],
    threads: 1,
    multicast: false
  })
  try {
    const generate = async () => {
      const found: number[] = []
      for await (const { token } of honest.generateStream(ids, { maxNewTokens: 8 })) found.push(token!)
      assert.deepEqual(found, tokens.slice(0, 8))
    }
    await generate()
    const blocks = { first: 0, end: 12 }
    // far over what the server takes, just under it, and small with a large answer
    const huge = forwardFrame(checkpoint, blocks, { seq: 1024, rank: 2500 })
    const large = forwardFrame(checkpoint, { first: 0, end: 2 }, { seq: 1024, rank: 1600 })
    const fitting = forwardFrame(checkpoint, blocks, { seq: 512 })
    assert.ok(huge.length > 40 * MiB && large.length > 5 * MiB)
    const strangers: Stranger[] = []
    try {
      await Promise.all(
        ['127.0.0.1', '127.0.0.77', '127.0.0.78'].map(async source => {
          for (let index = 0; index < 8; index++) {
            const stranger = await Stranger.meet(server.address, source)
            strangers.push(stranger)
            for (let count = 0; count < 2; count++) await stranger.hold(protocols.forward, huge)
            for (let count = 0; count < 3; count++) await stranger.hold(protocols.forward, large)
            await stranger.ignoreAnswer(protocols.forward, fitting)
          }
        })
      )
      await generate()
      await generate()
      const most = mostMemory(server.process.pid!)
      assert.ok(most < memory, `${Math.round(most / MiB)} MiB, 512 MiB were given`)
      assert.ok(strangers.every(({ answered }) => answered > 0))
    } finally {
      await Promise.all(strangers.map(stranger => stranger[Symbol.asyncDispose]()))
    }
  } finally {
    await honest.close()
  }
})
