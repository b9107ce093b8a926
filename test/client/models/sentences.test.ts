// Folders of sentence-transformers: what is read of them, and vectors from hidden states.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { readSentenceFolder } from '../../../client/models/sentence-folder.ts'
import { sentenceVector, similarityOf } from '../../../client/models/sentence-vectors.ts'
import { float32 } from '../../../common/tensor.ts'
import { encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { temporaryFolder } from '../../../testing/references.ts'

const module = (idx: number, type: string, path: string) => ({
  idx,
  name: `${idx}`,
  path,
  type: `sentence_transformers.models.${type}`
})

async function folderOf(context: unknown, modules: readonly object[], pooling: object): Promise<string> {
  const folder = await temporaryFolder(context as never)
  await mkdir(join(folder, '1_Pooling'))
  await writeFile(join(folder, 'modules.json'), JSON.stringify(modules))
  await writeFile(join(folder, '1_Pooling', 'config.json'), JSON.stringify(pooling))
  return folder
}

it('reads pooling, a dense layer, the norm, prompts and the longest sequence', async context => {
  const modules = [
    module(0, 'Transformer', ''),
    module(1, 'Pooling', '1_Pooling'),
    module(2, 'Dense', '2_Dense'),
    module(3, 'Normalize', '3_Normalize')
  ]
  const folder = await folderOf(context, modules, { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true })
  await mkdir(join(folder, '2_Dense'))
  await writeFile(
    join(folder, '2_Dense', 'config.json'),
    JSON.stringify({ activation_function: 'torch.nn.modules.linear.Identity' })
  )
  const weight = float32([2, 4], [1, 0, 0, 0, 0, 0, 1, 1])
  await writeFile(
    join(folder, '2_Dense', 'model.safetensors'),
    encodeSafetensors({ 'linear.weight': weight, 'linear.bias': float32([2], [1, 0]) })
  )
  await writeFile(
    join(folder, 'sentence_bert_config.json'),
    JSON.stringify({ max_seq_length: 12, do_lower_case: true })
  )
  await writeFile(
    join(folder, 'config_sentence_transformers.json'),
    JSON.stringify({ prompts: { query: 'find: ' }, default_prompt_name: 'query' })
  )
  const { steps, ...settings } = await readSentenceFolder(folder)
  assert.deepEqual(settings, { maxTokens: 12, lowersCase: true, prompts: { query: 'find: ' }, defaultPrompt: 'query' })
  // first token [2, 4], mean [3, 5]: dense gives [2 + 1, 3 + 5], of length √73
  const vector = sentenceVector([Float32Array.of(2, 4), Float32Array.of(4, 6)], steps)
  assert.deepEqual([...vector], [...Float32Array.of(3 / Math.sqrt(73), 8 / Math.sqrt(73))])
})

it('refuses modules that are not known, by name, and folders outside', async context => {
  const unknown = await folderOf(context, [module(0, 'Transformer', ''), module(1, 'CNN', '1_CNN')], {})
  await assert.rejects(readSentenceFolder(unknown), { code: 'UNSUPPORTED', message: /models\.CNN' in '1_CNN'/ })
  const outside = await folderOf(context, [module(0, 'Transformer', ''), module(1, 'Pooling', '../x')], {})
  await assert.rejects(readSentenceFolder(outside), { code: 'BAD_CHECKPOINT' })
  const gone = await folderOf(context, [module(0, 'Transformer', ''), module(1, 'Pooling', '2_Pooling')], {})
  await assert.rejects(readSentenceFolder(gone), { code: 'BAD_CHECKPOINT', message: /2_Pooling.*no such file/ })
  const odd = await folderOf(context, [module(0, 'Transformer', ''), module(1, 'Pooling', '1_Pooling')], {
    pooling_mode: 'median'
  })
  await assert.rejects(readSentenceFolder(odd), { code: 'UNSUPPORTED', message: /pooling_mode 'median'/ })
})

it('measures how alike vectors are by the cosine of their angle', () => {
  const a = float32([2, 2], [1, 0, 3, 3])
  const found = similarityOf(a, float32([1, 2], [0, 2]))
  assert.deepEqual(found.shape, [2, 1])
  assert.ok(Math.abs(found.data[0]!) < 1e-7 && Math.abs(found.data[1]! - Math.SQRT1_2) < 1e-6)
})
