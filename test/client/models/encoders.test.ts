// Encoders through two servers: hidden states are those of Hugging Face, token types included.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  AutoDistributedModelForCausalLM,
  type DistributedModel,
  getPeftModel,
  PeftModel
} from '../../../client/index.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { referencePath } from '../../../testing/references.ts'
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
    await assert.rejects(model.encodeIds([[5]], { batchSize: 0 }), { message: /batchSize: .* found 0$/ })
    await assert.rejects(model.encodeIds([]), { message: /expected at least one text .* found no text/ })
    await assert.rejects(model.encodeIds([[5], []]), { message: /found no token in text 1/ })
    await assert.rejects(AutoDistributedModelForCausalLM.fromPretrained(familyPath('bert'), options), {
      code: 'UNSUPPORTED',
      message: /bert is an encoder, which predicts no next token/
    })
  })
})

describe('ELECTRA', () => {
  it("takes PEFT's adapter of every linear module, the projection of embeddings too", async () => {
    const path = familyPath('electra')
    await using swarm = await startSwarm([[0, 2]], { path })
    await using model = await AutoDistributedModel.fromPretrained(path, { initialPeers: swarm.join, home: null })
    const folder = referencePath('electra-all-linear')
    const adapted = await PeftModel.fromPretrained(model, folder)
    const file = join(folder, 'hidden.safetensors')
    const { ids, hidden } = decodeSafetensors(await readFile(file), file).tensors
    const expected = Array.from(hidden!.data, Number)
    const through = async (each: Pick<DistributedModel, 'forward'>) =>
      (await each.forward({ inputIds: ids as Tensor<'int64'> })).lastHiddenState.data
    assert.ok(relative(await through(adapted), expected) < 1e-5)
    assert.ok(relative(await through(model), expected) > 0.1)
    const fresh = await getPeftModel(model, { peftType: 'LORA', r: 2, targetModules: 'all-linear' })
    const names = (each: { parameters(): readonly { name: string }[] }) => each.parameters().map(({ name }) => name)
    assert.deepEqual(names(fresh).sort(), names(adapted).sort())
    await assert.rejects(
      getPeftModel(model, { peftType: 'IA3', targetModules: ['embeddings_project'], feedforwardModules: [] }),
      { code: 'UNSUPPORTED', message: /embeddings_project: its output, bias included, would be scaled/ }
    )
  })
})
