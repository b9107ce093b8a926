import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { getPeftModel } from '../../../client/index.ts'
import { int64 } from '../../../common/tensor.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const inputIds = int64([1, 8], [11, 222, 1333, 2444, 555, 66, 777, 888])
const prompt = [[11, 222, 1333, 2444]]

for (const dtype of ['int8', 'int4'] as const) {
  describe(`two servers in ${dtype}`, () => {
    let swarm: TestSwarm
    before(async () => {
      swarm = await startSwarm(
        [
          [0, 5],
          [5, 12]
        ],
        { server: { dtype } }
      )
    })
    after(() => swarm[Symbol.asyncDispose]())

    test('train LoRA: the loss falls, and what was trained changes what is generated', async () => {
      await using base = await swarm.connect({ requireDtype: dtype })
      const plain = await base.generate(prompt, { maxNewTokens: 6, eosTokenIds: [] })
      const model = await getPeftModel(base, { peftType: 'LORA', r: 4, targetModules: 'all-linear' }, { seed: 1 })
      const losses: number[] = []
      for (let step = 0; step < 8; step++) {
        const { loss } = await model.forward({ inputIds, labels: inputIds })
        losses.push(loss!.item())
        await loss!.backward()
        for (const parameter of model.parameters()) {
          for (let i = 0; i < parameter.data.length; i++) parameter.data[i]! -= 0.05 * parameter.grad![i]!
        }
        model.zeroGrad()
      }
      assert.ok(losses.at(-1)! < losses[0]! - 0.5, `${losses}`)
      const tuned = await model.generate(prompt, { maxNewTokens: 6, eosTokenIds: [] })
      assert.equal(plain[0]!.length, 10)
      assert.notDeepEqual(tuned, plain)
    })

    test('announce it, and are passed over by clients that require another', async () => {
      await using client = await swarm.connect({ requireDtype: 'float32' })
      await assert.rejects(client.generate(prompt, { maxNewTokens: 1 }), {
        code: 'BLOCKS_UNAVAILABLE',
        message: /2 excluded because float32 is required/
      })
    })
  })
}
