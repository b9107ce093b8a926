// Prompts that begin alike through a chain of servers: every server copies the beginning, and the tokens are what they would be.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readReference } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const { alone } = readReference<{ alone: { ids: number[]; tokens: number[] }[] }>('tiny-greedy.json')
const system = alone.flatMap(({ ids, tokens }) => [...ids, ...tokens]).slice(0, 300)
const [first, second] = alone as [(typeof alone)[number], (typeof alone)[number]]
const ranges = [
  [0, 6],
  [6, 12]
] as const

/** Positions that each server has copied. */
function reused({ servers }: TestSwarm): Promise<number[]> {
  return Promise.all(
    servers.map(async ({ metricsPort }) => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      return Number(text.match(/^swarm_prefix_positions_total\{result="reused"\} (.+)$/m)?.[1] ?? 0)
    })
  )
}

it('a system prompt that servers have seen is copied by all of a chain, with the same tokens after it', async () => {
  const plain = await startSwarm(ranges, { server: { prefixReuse: false } })
  const sharing = await startSwarm(ranges, { server: { metricsPort: 0 } })
  try {
    await using without = await plain.connect()
    await using model = await sharing.connect()
    const options = { maxNewTokens: 12 }
    for (const [index, { ids }] of [first, second, first].entries()) {
      const prompt = [...system, ...ids]
      assert.deepEqual(await model.generate(prompt, options), await without.generate(prompt, options))
      // whole blocks of 64 positions
      assert.deepEqual(await reused(sharing), [256 * index, 256 * index])
    }
    // of beams one row takes the prompt in
    const beams = { maxNewTokens: 8, numBeams: 3, eosTokenIds: [] }
    assert.deepEqual(await model.generate(system, beams), await without.generate(system, beams))
    assert.deepEqual(await reused(sharing), [768, 768])
  } finally {
    await plain[Symbol.asyncDispose]()
    await sharing[Symbol.asyncDispose]()
  }
})
