// The model of simulated swarms: a real Llama of four blocks with random weights, in Hugging Face format.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '../../common/random.ts'

export const numBlocks = 4
const [hidden, heads, keyValueHeads, intermediate, vocabulary] = [32, 2, 1, 48, 96]
const headDim = hidden / heads

/** Large enough for logits that lie well apart. */
const deviation = 0.18

function tensorsOf(): [name: string, shape: number[]][] {
  const blocks = Array.from({ length: numBlocks }, (_, block) => {
    const prefix = `model.layers.${block}`
    return [
      [`${prefix}.input_layernorm.weight`, [hidden]],
      [`${prefix}.self_attn.q_proj.weight`, [heads * headDim, hidden]],
      [`${prefix}.self_attn.k_proj.weight`, [keyValueHeads * headDim, hidden]],
      [`${prefix}.self_attn.v_proj.weight`, [keyValueHeads * headDim, hidden]],
      [`${prefix}.self_attn.o_proj.weight`, [hidden, heads * headDim]],
      [`${prefix}.post_attention_layernorm.weight`, [hidden]],
      [`${prefix}.mlp.gate_proj.weight`, [intermediate, hidden]],
      [`${prefix}.mlp.up_proj.weight`, [intermediate, hidden]],
      [`${prefix}.mlp.down_proj.weight`, [hidden, intermediate]]
    ] as [string, number[]][]
  })
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...blocks.flat(),
    ['model.norm.weight', [hidden]],
    ['lm_head.weight', [vocabulary, hidden]]
  ]
}

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  attention_bias: false,
  mlp_bias: false,
  bos_token_id: 0,
  eos_token_id: 1,
  pad_token_id: 2,
  head_dim: headDim,
  hidden_act: 'silu',
  hidden_size: hidden,
  intermediate_size: intermediate,
  max_position_embeddings: 256,
  num_attention_heads: heads,
  num_hidden_layers: numBlocks,
  num_key_value_heads: keyValueHeads,
  rms_norm_eps: 1e-5,
  rope_parameters: { rope_theta: 10000, rope_type: 'default' },
  tie_word_embeddings: false,
  torch_dtype: 'float32',
  vocab_size: vocabulary
}

/** Writes the model into a folder, which is made. */
export function writeTinyModel(folder: string): void {
  const random = createRandom(20_270_101)
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint8Array[] = []
  let offset = 0
  for (const [name, shape] of tensorsOf()) {
    const size = shape.reduce((a, b) => a * b)
    const values = Float32Array.from({ length: size }, () => (shape.length === 1 ? 1 : deviation * random.normal()))
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }
    offset += values.byteLength
    parts.push(new Uint8Array(values.buffer))
  }
  const json = JSON.stringify(header)
  const head = Buffer.from(json + ' '.repeat((8 - (json.length % 8)) % 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(head.byteLength))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, head, ...parts]))
}
