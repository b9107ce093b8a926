// Writes the model that the benchmarks run on: a 24-block Llama of hidden size 1024 with random float32 weights (1.4 GB),
// in Hugging Face format with the tokenizer of models/tiny.
//   node bench/tools/make-model.ts /tmp/llama-24x1024 [blocks]
import { createWriteStream } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { finished } from 'node:stream/promises'

const folder = resolve(process.argv[2] ?? '/tmp/llama-24x1024')
const blocks = Number(process.argv[3] ?? 24)
const hidden = 1024
const heads = 16
const keyValueHeads = 8
const intermediate = 2816
const vocabulary = 32000
const headDim = hidden / heads

const tensors: [name: string, shape: number[]][] = [['model.embed_tokens.weight', [vocabulary, hidden]]]
for (let block = 0; block < blocks; block++) {
  const prefix = `model.layers.${block}`
  tensors.push(
    [`${prefix}.input_layernorm.weight`, [hidden]],
    [`${prefix}.self_attn.q_proj.weight`, [heads * headDim, hidden]],
    [`${prefix}.self_attn.k_proj.weight`, [keyValueHeads * headDim, hidden]],
    [`${prefix}.self_attn.v_proj.weight`, [keyValueHeads * headDim, hidden]],
    [`${prefix}.self_attn.o_proj.weight`, [hidden, heads * headDim]],
    [`${prefix}.post_attention_layernorm.weight`, [hidden]],
    [`${prefix}.mlp.gate_proj.weight`, [intermediate, hidden]],
    [`${prefix}.mlp.up_proj.weight`, [intermediate, hidden]],
    [`${prefix}.mlp.down_proj.weight`, [hidden, intermediate]]
  )
}
tensors.push(['model.norm.weight', [hidden]], ['lm_head.weight', [vocabulary, hidden]])

const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
let offset = 0
for (const [name, shape] of tensors) {
  const bytes = shape.reduce((a, b) => a * b, 4)
  header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] }
  offset += bytes
}
let json = JSON.stringify(header)
json += ' '.repeat((8 - (json.length % 8)) % 8)

await mkdir(folder, { recursive: true })
const file = createWriteStream(join(folder, 'model.safetensors'))
const head = Buffer.alloc(8)
head.writeBigUInt64LE(BigInt(json.length))
file.write(head)
file.write(json)
let seed = 1
for (const [, shape] of tensors) {
  const size = shape.reduce((a, b) => a * b, 1)
  const data = new Float32Array(size)
  const scale = shape.length === 1 ? 0 : 0.035 // uniform in ±0.035: standard deviation 0.02, as Llama is initialized
  for (let i = 0; i < size; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    data[i] = shape.length === 1 ? 1 : (seed / 2 ** 31) * scale
  }
  if (!file.write(new Uint8Array(data.buffer))) await new Promise<void>(done => file.once('drain', done))
}
file.end()
await finished(file)
await writeFile(
  join(folder, 'config.json'),
  JSON.stringify(
    {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      attention_bias: false,
      bos_token_id: 0,
      eos_token_id: 0,
      head_dim: headDim,
      hidden_act: 'silu',
      hidden_size: hidden,
      initializer_range: 0.02,
      intermediate_size: intermediate,
      max_position_embeddings: 4096,
      mlp_bias: false,
      num_attention_heads: heads,
      num_hidden_layers: blocks,
      num_key_value_heads: keyValueHeads,
      pad_token_id: 1,
      rms_norm_eps: 1e-5,
      rope_parameters: { rope_theta: 10000, rope_type: 'default' },
      tie_word_embeddings: false,
      torch_dtype: 'float32',
      vocab_size: vocabulary
    },
    null,
    2
  )
)
for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
  await copyFile(join(import.meta.dirname, '../../models/tiny', name), join(folder, name))
}
console.log(`${folder}: ${blocks} blocks, ${(offset / 1e9).toFixed(2)} GB`)
