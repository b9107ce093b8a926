// Checkpoints of random weights, of any family and size, from their config.json alone: for tests and benches.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '../common/random.ts'
import { sizeOf } from '../common/tensor.ts'
import { familyOf } from '../model/families/families.ts'
import { type NamedShape, safetensorsHead } from './llama-files.ts'

export interface RandomModelOptions {
  /** default 1 */
  readonly seed?: number
  /** standard deviation of matrices; default 1 / sqrt(columns) */
  readonly scale?: number
}

/** Values of a tensor: gains of norms near 1, biases small, matrices such that states keep their size. */
function valuesOf([name, shape]: NamedShape, random: ReturnType<typeof createRandom>, scale?: number): Float32Array {
  const isVector = shape.length === 1
  const deviation = isVector ? 0.1 : (scale ?? 1 / Math.sqrt(shape.at(-1)!))
  const mean = isVector && name.endsWith('weight') ? 1 : 0
  return Float32Array.from({ length: sizeOf(shape) }, () => mean + deviation * random.normal())
}

/** Writes config.json and model.safetensors into a new folder. */
export async function writeRandomModel(
  folder: string,
  raw: Readonly<Record<string, unknown>>,
  { seed = 1, scale }: RandomModelOptions = {}
): Promise<void> {
  const family = familyOf(raw)
  const config = family.parseConfig(raw)
  const blocks = Array.from({ length: config.numBlocks }, (_, block) => family.blockTensors(config, block))
  const expected = new Map([...family.clientTensors(config), ...blocks.flat()].map(({ name, shape }) => [name, shape]))
  const tensors: NamedShape[] = [...expected]
  const random = createRandom(seed)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(raw))
  const parts = tensors.map(tensor => new Uint8Array(valuesOf(tensor, random, scale).buffer))
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat([safetensorsHead(tensors), ...parts]))
}

/** config.json of a small BERT; `others` are the fields in which it differs. */
export function bertConfig(others: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    architectures: ['BertModel'],
    model_type: 'bert',
    hidden_act: 'gelu',
    hidden_size: 32,
    intermediate_size: 64,
    max_position_embeddings: 128,
    num_attention_heads: 4,
    num_hidden_layers: 4,
    type_vocab_size: 2,
    vocab_size: 64,
    ...others
  }
}

/** config.json of a small T5: 2 blocks of the encoder, 3 of the decoder; `others` are the fields in which it differs. */
export function t5Config(others: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    architectures: ['T5ForConditionalGeneration'],
    model_type: 't5',
    d_ff: 64,
    d_kv: 8,
    d_model: 32,
    decoder_start_token_id: 0,
    eos_token_id: 1,
    feed_forward_proj: 'gated-gelu',
    num_decoder_layers: 3,
    num_heads: 4,
    num_layers: 2,
    pad_token_id: 0,
    relative_attention_max_distance: 16,
    relative_attention_num_buckets: 8,
    tie_word_embeddings: false,
    vocab_size: 64,
    ...others
  }
}
