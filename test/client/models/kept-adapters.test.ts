// Adapters that are sent to a server once: later sessions name their hash, and prefixes that servers have seen are copied.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type CausalModel, getPeftModel, type PeftModelForCausalLM } from '../../../client/index.ts'
import { MiB } from '../../../common/units.ts'
import { startSwarm } from '../../../testing/swarm.ts'

const ranges = [
  [0, 6],
  [6, 12]
] as const
const prompt = Array.from({ length: 150 }, (_, at) => 5 + ((at * 7) % 200))
const options = { maxNewTokens: 3, eosTokenIds: [] }

/** Bytes that a generation sends, and its tokens. */
async function generate(model: CausalModel, ids = prompt): Promise<{ sent: number; tokens: number[][] }> {
  const before = model.network.traffic.sent
  const tokens = await model.generate(ids, options)
  return { sent: model.network.traffic.sent - before, tokens }
}

it('several adapters over the same servers are sent once each, and give what they give when they are sent', async () => {
  const swarm = await startSwarm(ranges, { server: { kvCacheBytes: 64 * MiB } })
  const plain = await startSwarm(ranges, { server: { prefixReuse: false } })
  try {
    await using base = await swarm.connect()
    await using other = await plain.connect()
    const adapted = async (model: typeof base, seed: number): Promise<PeftModelForCausalLM> => {
      const config = { peftType: 'LORA', r: 4, targetModules: 'all-linear' } as const
      const tuned = (await getPeftModel(model, config, { seed })).eval()
      for (const { name, data } of tuned.parameters()) {
        if (name.includes('lora_B')) for (const at of data.keys()) data[at] = 0.3 * Math.sin(seed * (at + 1) * 1.7)
      }
      return tuned
    }
    const [first, second] = [await adapted(base, 1), await adapted(base, 2)]
    const expected = [await generate(await adapted(other, 1)), await generate(await adapted(other, 2))]
    assert.notDeepEqual(expected[0]!.tokens, expected[1]!.tokens)
    const adapterBytes = first.parameters().reduce((sum, { data }) => sum + data.byteLength, 0)
    const { sent: alone } = await generate(base)
    for (const [index, model] of [first, second].entries()) {
      const { sent, tokens } = await generate(model)
      assert.deepEqual(tokens, expected[index]!.tokens)
      assert.ok(sent > adapterBytes && sent < adapterBytes + 2 * alone, `${sent}`)
    }
    // both in turns, several at once, a longer prompt
    for (const model of [first, second, first]) {
      const { sent, tokens } = await generate(model)
      assert.deepEqual(tokens, expected[model === first ? 0 : 1]!.tokens)
      assert.ok(sent < 1.2 * alone, `${sent} against ${alone}`)
    }
    const together = await Promise.all([first, second, first, second].map(model => generate(model)))
    for (const [index, { tokens }] of together.entries()) assert.deepEqual(tokens, expected[index % 2]!.tokens)

    // tensors that change are another adapter
    for (const { data } of first.parameters()) data[0]! += 1
    const changed = await generate(first)
    assert.ok(changed.sent > adapterBytes)
    for (const { data } of first.parameters()) data[0]! -= 1
  } finally {
    await swarm[Symbol.asyncDispose]()
    await plain[Symbol.asyncDispose]()
  }
})
