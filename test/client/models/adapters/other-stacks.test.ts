// LoRA's relatives over an encoder-decoder model and an encoder: adapters of PEFT give what PEFT gives (scripts/reference/lora_relatives.py).
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AutoDistributedModel, AutoDistributedModelForSeq2SeqLM, PeftModel } from '../../../../client/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { assertClose, referencePath } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { readReferences } from './follow-run.ts'

const expected = readReferences('lora-relatives', 'other.safetensors')
const inputIds = expected.ids as Tensor<'int64'>

for (const base of ['t5', 'bert'] as const) {
  describe(`adapters of ${base}`, () => {
    const path = referencePath('families', base)
    let swarm: TestSwarm
    before(async () => {
      const blocks = (await openCheckpoint(path)).config.numBlocks
      swarm = await startSwarm([[0, blocks]], { path })
    })
    after(() => swarm[Symbol.asyncDispose]())

    for (const way of ['dora', 'pissa', 'bias']) {
      test(`'${way}' as PEFT saved it gives PEFT's numbers`, async () => {
        const options = { initialPeers: swarm.join, home: null }
        const folder = referencePath('lora-relatives', `other-${base}-${way}`)
        const peft = expected[`${base}-${way}`] as Float32Tensor
        let found: Float32Tensor
        if (base === 't5') {
          await using model = await AutoDistributedModelForSeq2SeqLM.fromPretrained(path, options)
          const tuned = await PeftModel.fromPretrained(model, folder)
          const labels = expected.labels as Tensor<'int64'>
          found = (await tuned.forward({ inputIds, labels })).logits!
        } else {
          await using model = await AutoDistributedModel.fromPretrained(path, options)
          const tuned = await PeftModel.fromPretrained(model, folder)
          found = (await tuned.forward({ inputIds })).lastHiddenState
        }
        assert.deepEqual(found.shape, peft.shape)
        assertClose(found.data, peft.data, 1e-4, way)
      })
    }
  })
}
