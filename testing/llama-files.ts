// The files of a Llama in Hugging Face format, for models of random weights: names and shapes of its tensors, its configuration, and the
// head of its safetensors file. Knows no values.

export interface LlamaSize {
  readonly blocks: number
  readonly hidden: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly intermediate: number
  readonly vocabulary: number
}

export type NamedShape = readonly [name: string, shape: readonly number[]]

/** All tensors, embeddings first and the head last. */
export function llamaTensors(size: LlamaSize): NamedShape[] {
  const { blocks, hidden, heads, keyValueHeads, intermediate, vocabulary } = size
  const headDim = hidden / heads
  const ofBlock = (_: unknown, block: number): NamedShape[] => {
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
    ]
  }
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...Array.from({ length: blocks }, ofBlock).flat(),
    ['model.norm.weight', [hidden]],
    ['lm_head.weight', [vocabulary, hidden]]
  ]
}

/** config.json; `others` are the fields in which such models differ. */
export function llamaConfig(size: LlamaSize, others: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    attention_bias: false,
    mlp_bias: false,
    head_dim: size.hidden / size.heads,
    hidden_act: 'silu',
    hidden_size: size.hidden,
    intermediate_size: size.intermediate,
    num_attention_heads: size.heads,
    num_hidden_layers: size.blocks,
    num_key_value_heads: size.keyValueHeads,
    rms_norm_eps: 1e-5,
    rope_parameters: { rope_theta: 10000, rope_type: 'default' },
    tie_word_embeddings: false,
    torch_dtype: 'float32',
    vocab_size: size.vocabulary,
    ...others
  }
}

/** What comes before the values of these tensors in float32, one after the other. */
export function safetensorsHead(tensors: readonly NamedShape[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const [name, shape] of tensors) {
    const end = offset + shape.reduce((a, b) => a * b, 4)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = JSON.stringify(header)
  const padded = Buffer.from(json + ' '.repeat((8 - (json.length % 8)) % 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.byteLength))
  return Buffer.concat([length, padded])
}
