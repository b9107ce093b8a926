// Encoders through two servers: hidden states are those of Hugging Face, token types included.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AutoDistributedModel, AutoDistributedModelForCausalLM, type DistributedModel } from '../../../client/index.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'
import { encoderModels } from '../../model/families/encoders.ts'
import { familyPath, readFamilyReference } from '../../model/families/families.ts'
import { withoutPadding } from '../../model/reference-cases.ts'

for (const [name] of Object.values(encoderModels)) {
  describe(`'${name}' through two servers`, () => {
    let expected: Awaited<ReturnType<typeof readFamilyReference>>
    let swarm: TestSwarm
    let model: DistributedModel
    const value = (field: string) => expected[`body.${field}`] as Tensor<'int64'>
    before(async () => {
      expected = await readFamilyReference(name)
      const { config } = await openCheckpoint(familyPath(name))
      const ranges = [
        [0, 1],
        [1, config.numBlocks]
      ] as const
      swarm = await startSwarm(ranges, { path: familyPath(name) })
      model = await AutoDistributedModel.fromPretrained(familyPath(name), { initialPeers: swarm.join, home: null })
    })
    after(async () => {
      await model.close()
      await swarm[Symbol.asyncDispose]()
    })

    it('has the hidden states of Hugging Face, padded on the left or not', async () => {
      const [inputIds, attentionMask, tokenTypeIds] = ['ids', 'mask', 'types'].map(value)
      for (const [field, mask] of [
        ['left', attentionMask],
        ['unmasked', undefined]
      ] as const) {
        const { lastHiddenState } = await model.forward({ inputIds: inputIds!, attentionMask: mask, tokenTypeIds })
        const [found, wanted] = [lastHiddenState, expected[`body.${field}`]!].map(states =>
          mask ? withoutPadding(states, mask) : states
        )
        assert.ok(relative(found!.data as Float32Array, Array.from(wanted!.data, Number)) < 1e-5, field)
      }
    })
  })
}

describe('BERT', () => {
  it('refuses token types that it does not have, and to predict the next token', async () => {
    await using swarm = await startSwarm([[0, 2]], { path: familyPath('bert') })
    const options = { initialPeers: swarm.join, home: null }
    await using model = await AutoDistributedModel.fromPretrained(familyPath('bert'), options)
    await assert.rejects(model.forward({ inputIds: [5, 6], tokenTypeIds: [0, 2] }), {
      code: 'INVALID_ARGUMENT',
      message: 'tokenTypeIds: expected 0 to 1, found 2'
    })
    await assert.rejects(model.forward({ inputIds: [5, 6], tokenTypeIds: [0] }), {
      code: 'INVALID_ARGUMENT',
      message: /tokenTypeIds: expected \[1,2\]/
    })
    await assert.rejects(AutoDistributedModelForCausalLM.fromPretrained(familyPath('bert'), options), {
      code: 'UNSUPPORTED',
      message: /bert is an encoder, which predicts no next token/
    })
  })
})
