// The model of simulated swarms: a real Llama of four blocks with random weights, in Hugging Face format.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '../../common/random.ts'
import { llamaConfig, llamaTensors, safetensorsHead } from '../llama-files.ts'

export const numBlocks = 4
const size = { blocks: numBlocks, hidden: 32, heads: 2, keyValueHeads: 1, intermediate: 48, vocabulary: 96 }

/** Large enough for logits that lie well apart. */
const deviation = 0.18

/** Writes the model into a folder, which is made. */
export function writeTinyModel(folder: string): void {
  const random = createRandom(20_270_101)
  const tensors = llamaTensors(size)
  const parts = tensors.map(([, shape]) => {
    const length = shape.reduce((a, b) => a * b)
    const values = Float32Array.from({ length }, () => (shape.length === 1 ? 1 : deviation * random.normal()))
    return new Uint8Array(values.buffer)
  })
  const tokens = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 2 }
  const config = llamaConfig(size, { ...tokens, max_position_embeddings: 256 })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([safetensorsHead(tensors), ...parts]))
}
