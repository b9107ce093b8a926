// Modules of sentence-transformers for a test's copy of a model: pooling of the first token, a dense layer, length 1.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { float32 } from '../common/tensor.ts'
import { encodeSafetensors } from '../model/formats/safetensors/encoding.ts'

/** Writes the modules beside the model. @param width of its hidden states; vectors have 3 numbers: sums of the first, the last and two states */
export async function writeSentenceModules(folder: string, { width }: { width: number }): Promise<void> {
  const module = (idx: number, kind: string, path: string) => ({
    idx,
    name: String(idx),
    path,
    type: `sentence_transformers.models.${kind}`
  })
  const weight = float32([3, width], new Array(3 * width).fill(0))
  for (const at of [0, 2 * width - 1, 2 * width, 2 * width + 1]) weight.data[at] = 1
  const files: Readonly<Record<string, unknown>> = {
    'modules.json': [
      module(0, 'Transformer', ''),
      module(1, 'Pooling', '1_Pooling'),
      module(2, 'Dense', '2_Dense'),
      module(3, 'Normalize', '3_Normalize')
    ],
    'sentence_bert_config.json': { max_seq_length: 24, do_lower_case: true },
    'config_sentence_transformers.json': { prompts: { query: 'find: ' }, default_prompt_name: 'query' },
    '1_Pooling/config.json': { word_embedding_dimension: width, pooling_mode_cls_token: true },
    '2_Dense/config.json': {
      in_features: width,
      out_features: 3,
      bias: false,
      activation_function: 'torch.nn.modules.linear.Identity'
    }
  }
  for (const name of ['1_Pooling', '2_Dense']) await mkdir(join(folder, name), { recursive: true })
  for (const [name, fields] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(fields))
  await writeFile(join(folder, '2_Dense/model.safetensors'), encodeSafetensors({ 'linear.weight': weight }))
}
