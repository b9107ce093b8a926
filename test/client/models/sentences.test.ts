// Folders of sentence-transformers: what is read of them, and vectors from hidden states.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { readSentenceFolder } from '../../../client/models/sentence-folder.ts'
import { sentenceVector, similarityOf } from '../../../client/models/sentence-vectors.ts'
import { float32 } from '../../../common/tensor.ts'
import { encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { sharedFiles } from '../../../model/peers/files.ts'
import { readReference, temporaryFolder } from '../../../testing/references.ts'

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

interface VectorCase {
  readonly pooling: object
  readonly dense?: object
  readonly tensors?: Readonly<Record<string, number[] | number[][]>>
  readonly truncate: number | null
  readonly vector: number[]
}

it('makes the vectors of sentence-transformers: order of poolings, residuals of dense layers, truncated ones', async context => {
  const { states, cases } = readReference<{ states: number[][]; cases: VectorCase[] }>('sentence-vectors.json')
  for (const [index, { pooling, dense, tensors = {}, truncate, vector }] of cases.entries()) {
    const modules = [module(0, 'Transformer', ''), module(1, 'Pooling', '1_Pooling')]
    const folder = await folderOf(context, dense ? [...modules, module(2, 'Dense', '2_Dense')] : modules, pooling)
    if (dense !== undefined) {
      await mkdir(join(folder, '2_Dense'))
      await writeFile(join(folder, '2_Dense', 'config.json'), JSON.stringify(dense))
      const shaped = Object.entries(tensors).map(([name, rows]) => {
        const width = Array.isArray(rows[0]) ? [rows[0].length] : []
        return [name, float32([rows.length, ...width], rows.flat())] as const
      })
      await writeFile(join(folder, '2_Dense', 'model.safetensors'), encodeSafetensors(Object.fromEntries(shaped)))
    }
    await writeFile(join(folder, 'config_sentence_transformers.json'), JSON.stringify({ truncate_dim: truncate }))
    const { steps } = await readSentenceFolder(folder)
    const found = sentenceVector(
      states.map(row => Float32Array.from(row)),
      steps
    )
    assert.equal(found.length, vector.length, `case ${index}`)
    for (const [at, value] of vector.entries()) assert.ok(Math.abs(found[at]! - value) < 1e-6, `case ${index}: ${at}`)
  }
})

it('takes the most tokens from the file that has them, as versions of sentence-transformers write it', async context => {
  const modules = [module(0, 'Transformer', ''), module(1, 'Pooling', '1_Pooling')]
  const folder = await folderOf(context, modules, {})
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 7 }))
  assert.equal((await readSentenceFolder(folder)).maxTokens, 7)
  await writeFile(join(folder, 'sentence_distilbert_config.json'), JSON.stringify({ max_seq_length: 5 }))
  assert.equal((await readSentenceFolder(folder)).maxTokens, 5)
  // peers send that file too, and the hub's is fetched
  assert.ok(sharedFiles.includes('sentence_distilbert_config.json'))
  await writeFile(join(folder, 'sentence_bert_config.json'), JSON.stringify({ max_seq_length: 0 }))
  await assert.rejects(readSentenceFolder(folder), {
    code: 'BAD_CHECKPOINT',
    message: /max_seq_length: expected a whole number above 0, found 0/
  })
})

it('refuses settings that would change vectors, and layers whose sizes do not fit', async context => {
  const modules = [module(0, 'Transformer', ''), module(1, 'Pooling', '1_Pooling'), module(2, 'Dense', '2_Dense')]
  const folder = await folderOf(context, modules, {})
  await mkdir(join(folder, '2_Dense'))
  const dense = async (fields: object, tensors: Parameters<typeof encodeSafetensors>[0]) => {
    await writeFile(join(folder, '2_Dense', 'config.json'), JSON.stringify(fields))
    await writeFile(join(folder, '2_Dense', 'model.safetensors'), encodeSafetensors(tensors))
    return await readSentenceFolder(folder)
  }
  const weight = float32([1, 2], [1, 1])
  const { steps } = await dense({}, { 'linear.weight': weight })
  assert.throws(() => sentenceVector([Float32Array.of(1, 2, 3)], steps), { code: 'BAD_CHECKPOINT' })
  const rejected = (message: RegExp) => ({ message })
  await assert.rejects(dense({}, { 'linear.weight': float32([2], [1, 1]) }), rejected(/expected floats \[out, in\]/))
  await assert.rejects(
    dense({}, { 'linear.weight': weight, 'linear.bias': float32([2], [1, 1]) }),
    rejected(/expected floats \[1\], found float32\[2\]/)
  )
  await assert.rejects(dense({ bias: true }, { 'linear.weight': weight }), rejected(/'linear\.bias' is missing/))
  await assert.rejects(
    dense({ module_input_name: 'token_embeddings' }, { 'linear.weight': weight }),
    rejected(/module_input_name: found "token_embeddings", expected "sentence_embedding"/)
  )
  await dense({}, { 'linear.weight': weight })
  await writeFile(join(folder, 'sentence_bert_config.json'), JSON.stringify({ query_length: 32 }))
  await assert.rejects(readSentenceFolder(folder), { code: 'UNSUPPORTED', message: /query_length: found 32/ })
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
