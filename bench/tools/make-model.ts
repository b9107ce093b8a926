// Writes the model that the benchmarks run on: a 24-block Llama of hidden size 1024 with random float32 weights (1.4 GB),
// in Hugging Face format with the tokenizer of models/tiny.
//   node bench/tools/make-model.ts /tmp/llama-24x1024 [blocks]
import { createWriteStream } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { llamaConfig, llamaTensors, safetensorsHead } from '../../testing/llama-files.ts'

const folder = resolve(process.argv[2] ?? '/tmp/llama-24x1024')
const blocks = Number(process.argv[3] ?? 24)
const size = { blocks, hidden: 1024, heads: 16, keyValueHeads: 8, intermediate: 2816, vocabulary: 32000 }
const tensors = llamaTensors(size)

await mkdir(folder, { recursive: true })
const file = createWriteStream(join(folder, 'model.safetensors'))
file.write(safetensorsHead(tensors))
let [seed, bytes] = [1, 0]
for (const [, shape] of tensors) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
  bytes += data.byteLength
  const scale = shape.length === 1 ? 0 : 0.035 // uniform in ±0.035: standard deviation 0.02, as Llama is initialized
  for (let i = 0; i < data.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    data[i] = shape.length === 1 ? 1 : (seed / 2 ** 31) * scale
  }
  if (!file.write(new Uint8Array(data.buffer))) await new Promise<void>(done => file.once('drain', done))
}
file.end()
await finished(file)
const others = {
  bos_token_id: 0,
  eos_token_id: 0,
  pad_token_id: 1,
  initializer_range: 0.02,
  max_position_embeddings: 4096
}
await writeFile(join(folder, 'config.json'), JSON.stringify(llamaConfig(size, others), null, 2))
for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
  await copyFile(join(import.meta.dirname, '../../models/tiny', name), join(folder, name))
}
console.log(`${folder}: ${blocks} blocks, ${(bytes / 1e9).toFixed(2)} GB`)
