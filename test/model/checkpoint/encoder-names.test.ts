// Checkpoints of encoders as their classes and old files name their tensors.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { Tensor } from '../../../common/tensor.ts'
import { openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { writeSafetensors } from '../../../model/formats/safetensors/file.ts'
import { familyPath } from '../families/families.ts'
import { copyModel, editConfig, rejectsWith } from '../support.ts'

/** The tiny BERT with other names; null leaves a tensor out. */
async function renamed(
  context: TestContext,
  rename: (name: string) => string | null,
  more: Record<string, Tensor> = {}
) {
  const folder = await copyModel(context, familyPath('bert'))
  const path = join(folder, 'model.safetensors')
  const { tensors } = decodeSafetensors(await readFile(path), path)
  const kept = Object.entries(tensors).flatMap(([name, value]) => {
    const other = rename(name)
    return other === null ? [] : [[other, value] as const]
  })
  await writeSafetensors(path, { ...Object.fromEntries(kept), ...more })
  return folder
}

const query = 'bert.encoder.layer.1.attention.self.query.weight'

describe("a BERT's tensors", () => {
  test('of a base model have no prefix, the pooler too', async context => {
    const folder = await renamed(context, name => (name.startsWith('bert.') ? name.slice('bert.'.length) : null))
    await editConfig(folder, { architectures: ['BertModel'] })
    const [bare, whole] = [await openCheckpoint(folder), await openCheckpoint(familyPath('bert'))]
    for (const name of [query, 'bert.embeddings.LayerNorm.bias', 'bert.pooler.dense.weight']) {
      assert.deepEqual(await readTensor(bare, name), await readTensor(whole, name), name)
    }
    assert.equal(bare.identity, whole.identity)
  })

  test('are the same without the heads and the pooler of other tasks', async context => {
    const folder = await renamed(context, name =>
      /^(cls|classifier|qa_outputs|bert\.pooler)\b/.test(name) ? null : name
    )
    const checkpoint = await openCheckpoint(folder)
    assert.equal(checkpoint.identity, (await openCheckpoint(familyPath('bert'))).identity)
    assert.equal(checkpoint.tensors.has('bert.pooler.dense.weight'), false)
  })

  test('of the first files say gamma and beta', async context => {
    const old = (name: string): string =>
      name.replace(/(LayerNorm\.)weight$/, '$1gamma').replace(/(LayerNorm\.)bias$/, '$1beta')
    const [renewed, whole] = [
      await openCheckpoint(await renamed(context, old)),
      await openCheckpoint(familyPath('bert'))
    ]
    for (const name of ['bert.encoder.layer.0.output.LayerNorm.weight', 'cls.predictions.transform.LayerNorm.bias']) {
      assert.deepEqual(await readTensor(renewed, name), await readTensor(whole, name), name)
    }
  })

  test('that nothing reads are an error', async context => {
    const folder = await renamed(context, name => name.replace('classifier', 'adapters'))
    await rejectsWith(
      openCheckpoint(folder),
      'BAD_CHECKPOINT',
      /nothing reads tensor 'adapters\.(weight|bias)'.* of a bert/
    )
  })

  test('of another kind of model are refused by the name of the field', async context => {
    for (const [fields, message] of [
      [{ is_decoder: true }, /is_decoder true is not supported: .* as an encoder only/],
      [{ add_cross_attention: true }, /add_cross_attention true is not supported/],
      [{ position_embedding_type: 'relative_key' }, /position_embedding_type "relative_key" is not supported/],
      [{ pruned_heads: { 0: [1] } }, /pruned_heads .* is not supported/],
      [{ hidden_act: 'mish2' }, /hidden_act 'mish2' is not supported/]
    ] as const) {
      const folder = await copyModel(context, familyPath('bert'))
      await editConfig(folder, fields)
      await rejectsWith(openCheckpoint(folder), 'UNSUPPORTED', message)
    }
  })
})
