// Architectures that GGUF files come in: their metadata as a config.json, their tensors under Hugging Face's names.
// Source: gguf-py/gguf/constants.py (names), convert_hf_to_gguf.py (what conversion changed), of llama.cpp.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { mostParts } from '../../config/config.ts'
import type { JsonObject } from '../../json.ts'
import type { TensorEncoding } from '../tensor-info.ts'
import type { Metadata } from './metadata.ts'
import { ropeScaling } from './rope.ts'

export interface Architecture {
  /** the fields of config.json that are not common to all */
  config(metadata: Metadata, tensors: ReadonlySet<string>): JsonObject
  /** `blk.3.<part>.weight` -> `model.layers.3.<module>.weight` */
  readonly blockNames: Readonly<Record<string, string>>
  /** what conversion did to a tensor of this HF name, to be undone */
  encoding(name: string, metadata: Metadata): TensorEncoding
}

const commonNames = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj'
}

/**
 * Which modules of a llama have a bias, as config.json says it. Only queries, keys and values have one in Qwen 2, which is a Llama
 * otherwise.
 */
function biasFields(tensors: ReadonlySet<string>): JsonObject {
  const has = (...parts: string[]) => parts.some(part => tensors.has(`blk.0.${part}.bias`))
  const mlp = has('ffn_gate', 'ffn_up', 'ffn_down')
  if (has('attn_q') && !has('attn_output') && !mlp) return { model_type: 'qwen2' }
  return {
    model_type: 'llama',
    attention_bias: has('attn_q', 'attn_k', 'attn_v', 'attn_output'),
    mlp_bias: mlp
  }
}

const llama: Architecture = {
  config(metadata, tensors) {
    return { ...biasFields(tensors), head_dim: metadata.optionalNumber('llama.rope.dimension_count') }
  },
  blockNames: { ...commonNames, ffn_norm: 'post_attention_layernorm' },
  // rows of queries and keys, of their weights as of their biases
  encoding(name, metadata) {
    const heads = metadata.number('llama.attention.head_count')
    if (/\.q_proj\.(weight|bias)$/.test(name)) return { interleavedHeads: heads }
    const keyHeads = metadata.optionalNumber('llama.attention.head_count_kv') ?? heads
    return /\.k_proj\.(weight|bias)$/.test(name) ? { interleavedHeads: keyHeads } : {}
  }
}

const qwen2: Architecture = {
  config: () => ({ model_type: 'qwen2' }),
  blockNames: { ...commonNames, ffn_norm: 'post_attention_layernorm' },
  encoding: () => ({})
}

/** Every sixth block of Gemma 3 sees the whole sequence, the others a window. */
const gemma3Pattern = 6
/** Number of blocks of Gemma 3 27B, the only one that scales attention by hidden size / heads. */
const gemma3LargestBlocks = 62

const gemma3: Architecture = {
  config(metadata) {
    const blocks = metadata.number('gemma3.block_count')
    const headDim = metadata.number('gemma3.attention.key_length')
    const perHead = metadata.number('gemma3.embedding_length') / metadata.number('gemma3.attention.head_count')
    return {
      model_type: 'gemma3_text',
      head_dim: headDim,
      query_pre_attn_scalar: blocks === gemma3LargestBlocks ? perHead : headDim,
      hidden_activation: 'gelu_pytorch_tanh',
      sliding_window: metadata.number('gemma3.attention.sliding_window'),
      layer_types: Array.from({ length: blocks }, (_, block) =>
        (block + 1) % gemma3Pattern === 0 ? 'full_attention' : 'sliding_attention'
      ),
      rope_local_base_freq: 10_000,
      final_logit_softcapping: metadata.optionalNumber('gemma3.final_logit_softcapping') ?? null,
      attn_logit_softcapping: metadata.optionalNumber('gemma3.attn_logit_softcapping') ?? null
    }
  },
  blockNames: {
    ...commonNames,
    attn_q_norm: 'self_attn.q_norm',
    attn_k_norm: 'self_attn.k_norm',
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_feedforward_layernorm',
    post_ffw_norm: 'post_feedforward_layernorm'
  },
  // files hold 1 + weight
  encoding: name => (name.endsWith('norm.weight') ? { add: -1 } : {})
}

export const architectures: Readonly<Record<string, Architecture>> = { llama, qwen2, gemma3 }

const clientNames: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight'
}

/** Hugging Face's name of a GGUF tensor, or undefined for one that no model of ours has. */
export function hubName(architecture: Architecture, name: string): string | undefined {
  const match = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name)
  if (match === null) return clientNames[name]
  const [, block, part, kind] = match
  const names = architecture.blockNames
  return Object.hasOwn(names, part!) ? `model.layers.${block}.${names[part!]}.${kind}` : undefined
}

/**
 * Numbers that llama.cpp multiplies with, or chooses by, in architectures that share the graph of a llama, by the ends of their keys, with
 * the values that change nothing.
 */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  logit_scale: [0, 1],
  residual_scale: [0, 1],
  embedding_scale: [0, 1],
  'attention.scale': [0],
  'attention.clamp_kqv': [0],
  'attention.max_alibi_bias': [0],
  'attention.causal': [true],
  expert_count: [0],
  use_parallel_residual: [false]
}

/** Throws UNSUPPORTED for unread metadata that would change the answers. */
function refuseUnread(name: string, metadata: Metadata): void {
  for (const [end, values] of Object.entries(neutral)) {
    const key = `${name}.${end}`
    const found = metadata.get(key)
    if (found === undefined || values.some(value => found === value || Number(found) === value)) continue
    throw new SwarmError('UNSUPPORTED', `${metadata.file}: ${key} ${quoteForeign(String(found))} is not supported`)
  }
}

/** config.json as its model's would be. `tensors` are the file's names, `ropeFactors` the numbers of its rope_freqs.weight. */
export function configOf(
  name: string,
  architecture: Architecture,
  metadata: Metadata,
  tensors: ReadonlySet<string>,
  vocabSize: number,
  ropeFactors?: readonly number[]
): JsonObject {
  refuseUnread(name, metadata)
  const field = (key: string) => metadata.number(`${name}.${key}`)
  const heads = field('attention.head_count')
  const blocks = field('block_count')
  if (!(blocks <= mostParts)) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${metadata.file}: ${name}.block_count: expected at most ${mostParts}, found ${blocks}`
    )
  }
  return {
    hidden_size: field('embedding_length'),
    num_hidden_layers: blocks,
    num_attention_heads: heads,
    num_key_value_heads: metadata.optionalNumber(`${name}.attention.head_count_kv`) ?? heads,
    intermediate_size: field('feed_forward_length'),
    vocab_size: vocabSize,
    max_position_embeddings: field('context_length'),
    rms_norm_eps: field('attention.layer_norm_rms_epsilon'),
    rope_theta: metadata.optionalNumber(`${name}.rope.freq_base`) ?? 10_000,
    rope_scaling: ropeScaling(metadata, name, field('context_length'), ropeFactors),
    tie_word_embeddings: !tensors.has('output.weight'),
    bos_token_id: metadata.optionalNumber('tokenizer.ggml.bos_token_id'),
    // the end of the text, and of a message where that is another
    eos_token_id: ['eos', 'eot']
      .map(end => metadata.optionalNumber(`tokenizer.ggml.${end}_token_id`))
      .filter((id, index, ids) => id !== undefined && ids.indexOf(id) === index),
    pad_token_id: metadata.optionalNumber('tokenizer.ggml.padding_token_id'),
    ...architecture.config(metadata, tensors)
  }
}
