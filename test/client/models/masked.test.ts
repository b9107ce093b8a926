// Masked words among chosen ones, and options that are counts, of models for tasks.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { AutoDistributedModelForMaskedLM, AutoDistributedModelForQuestionAnswering } from '../../../client/index.ts'
import { startSwarm } from '../../../testing/swarm.ts'

const path = join(import.meta.dirname, '../../../models/tiny-bert')

it('scores masked words among all tokens, also where only some are asked for, and refuses counts that never end', async () => {
  await using swarm = await startSwarm([[0, 4]], { path })
  const options = { initialPeers: swarm.join, home: null }
  {
    await using model = await AutoDistributedModelForMaskedLM.fromPretrained(path, options)
    const text = `the ${model.maskToken} said`
    const [all] = await model.fillMask(text, { topK: 50 })
    const targets = [all![7]!, all![2]!, all![7]!].map(({ tokenText }) => tokenText)
    const [some] = await model.fillMask(text, { targets })
    assert.deepEqual(some, [all![2], all![7]])
    await assert.rejects(model.fillMask(text, { targets: [] }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(model.fillMask(text, { topK: -1 }), { message: /topK: .* found -1/ })
  }
  await using model = await AutoDistributedModelForQuestionAnswering.fromPretrained(path, options)
  const input = { question: 'who?', context: 'he' }
  for (const wrong of [{ batchSize: 0 }, { docStride: -1 }, { maxLength: Number.NaN }, { topK: 0.5 }]) {
    await assert.rejects(model.answer(input, wrong), { message: /expected a whole number from [01] on/ })
  }
})
