// config.json as the hub has it, of one model of each family, and what is refused.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { modelTensorsOf } from '../../../model/checkpoint/checkpoint.ts'
import { familyOf, supportedModelTypes } from '../../../model/families/families.ts'

type Fields = Record<string, unknown>

const published = {
  gpt2: { model_type: 'gpt2', n_ctx: 1024, n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50257 },
  'bigscience/bloom-560m': {
    model_type: 'bloom',
    n_embed: 1024,
    n_inner: null,
    n_layer: 24,
    num_attention_heads: 16,
    offset_alibi: 100,
    pad_token_id: 3,
    vocab_size: 250880
  },
  'facebook/opt-350m': {
    model_type: 'opt',
    activation_function: 'relu',
    do_layer_norm_before: false,
    ffn_dim: 4096,
    hidden_size: 1024,
    max_position_embeddings: 2048,
    num_attention_heads: 16,
    num_hidden_layers: 24,
    vocab_size: 50272,
    word_embed_proj_dim: 512
  },
  'EleutherAI/pythia-160m': {
    model_type: 'gpt_neox',
    hidden_act: 'gelu',
    hidden_size: 768,
    intermediate_size: 3072,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 2048,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    rotary_emb_base: 10000,
    rotary_pct: 0.25,
    use_parallel_residual: true,
    vocab_size: 50304
  },
  'tiiuae/falcon-7b': {
    model_type: 'falcon',
    alibi: false,
    bias: false,
    hidden_size: 4544,
    multi_query: true,
    new_decoder_architecture: false,
    num_attention_heads: 71,
    num_hidden_layers: 32,
    parallel_attn: true,
    vocab_size: 65024
  },
  'tiiuae/falcon-40b': {
    model_type: 'falcon',
    hidden_size: 8192,
    new_decoder_architecture: true,
    num_attention_heads: 128,
    num_hidden_layers: 60,
    num_kv_heads: 8,
    vocab_size: 65024
  },
  'google/gemma-2-2b': {
    model_type: 'gemma2',
    attn_logit_softcapping: 50.0,
    final_logit_softcapping: 30.0,
    head_dim: 256,
    hidden_activation: 'gelu_pytorch_tanh',
    hidden_size: 2304,
    intermediate_size: 9216,
    max_position_embeddings: 8192,
    num_attention_heads: 8,
    num_hidden_layers: 26,
    num_key_value_heads: 4,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    vocab_size: 256000
  },
  'google/gemma-3-270m': {
    model_type: 'gemma3_text',
    attn_logit_softcapping: null,
    final_logit_softcapping: null,
    head_dim: 256,
    hidden_size: 640,
    intermediate_size: 2048,
    max_position_embeddings: 32768,
    num_attention_heads: 4,
    num_hidden_layers: 18,
    num_key_value_heads: 1,
    query_pre_attn_scalar: 256,
    rope_local_base_freq: 10000.0,
    rope_scaling: null,
    rope_theta: 1000000.0,
    sliding_window: 512,
    vocab_size: 262144
  },
  'mistralai/Mixtral-8x7B-v0.1': {
    model_type: 'mixtral',
    hidden_act: 'silu',
    hidden_size: 4096,
    intermediate_size: 14336,
    max_position_embeddings: 32768,
    num_attention_heads: 32,
    num_experts_per_tok: 2,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
    num_local_experts: 8,
    rope_theta: 1000000.0,
    sliding_window: null,
    vocab_size: 32000
  },
  'mistralai/Mistral-7B-v0.1': {
    model_type: 'mistral',
    hidden_size: 4096,
    intermediate_size: 14336,
    max_position_embeddings: 32768,
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
    sliding_window: 4096,
    vocab_size: 32000
  },
  'google-t5/t5-small': {
    model_type: 't5',
    architectures: ['T5ForConditionalGeneration'],
    d_ff: 2048,
    d_kv: 64,
    d_model: 512,
    decoder_start_token_id: 0,
    eos_token_id: 1,
    num_heads: 8,
    num_layers: 6,
    pad_token_id: 0,
    relative_attention_num_buckets: 32,
    vocab_size: 32128
  },
  'google/flan-t5-base': {
    model_type: 't5',
    architectures: ['T5ForConditionalGeneration'],
    d_ff: 2048,
    d_kv: 64,
    d_model: 768,
    decoder_start_token_id: 0,
    feed_forward_proj: 'gated-gelu',
    num_decoder_layers: 12,
    num_heads: 12,
    num_layers: 12,
    tie_word_embeddings: false,
    vocab_size: 32128
  },
  'google/mt5-small': {
    model_type: 'mt5',
    d_ff: 1024,
    d_kv: 64,
    d_model: 512,
    feed_forward_proj: 'gated-gelu',
    num_decoder_layers: 8,
    num_heads: 6,
    num_layers: 8,
    tie_word_embeddings: false,
    vocab_size: 250112
  },
  'google/umt5-small': {
    model_type: 'umt5',
    d_ff: 1024,
    d_kv: 64,
    d_model: 512,
    feed_forward_proj: 'gated-gelu',
    num_decoder_layers: 8,
    num_heads: 6,
    num_layers: 8,
    vocab_size: 256384
  },
  'facebook/bart-base': {
    model_type: 'bart',
    d_model: 768,
    decoder_attention_heads: 12,
    decoder_ffn_dim: 3072,
    decoder_layers: 6,
    encoder_attention_heads: 12,
    encoder_ffn_dim: 3072,
    encoder_layers: 6,
    max_position_embeddings: 1024,
    vocab_size: 50265
  },
  'facebook/mbart-large-cc25': {
    model_type: 'mbart',
    d_model: 1024,
    decoder_attention_heads: 16,
    decoder_ffn_dim: 4096,
    decoder_layers: 12,
    encoder_attention_heads: 16,
    encoder_ffn_dim: 4096,
    encoder_layers: 12,
    max_position_embeddings: 1024,
    scale_embedding: true,
    vocab_size: 250027
  },
  'Qwen/Qwen3-0.6B': {
    model_type: 'qwen3',
    head_dim: 128,
    hidden_size: 1024,
    intermediate_size: 3072,
    max_position_embeddings: 40960,
    max_window_layers: 28,
    num_attention_heads: 16,
    num_hidden_layers: 28,
    num_key_value_heads: 8,
    rope_theta: 1000000,
    sliding_window: null,
    tie_word_embeddings: true,
    use_sliding_window: false,
    vocab_size: 151936
  }
} as const satisfies Record<string, Fields>

const parse = (raw: Fields) => familyOf(raw).parseConfig(raw)

/** Numbers of all tensors that the family expects. */
function sizeOf(raw: Fields): number {
  const family = familyOf(raw)
  return modelTensorsOf(family, family.parseConfig(raw)).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0
  )
}

describe('configurations of published models', () => {
  // as printed by sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters()) on the meta device
  const parameters = {
    gpt2: 124439808,
    'bigscience/bloom-560m': 559214592,
    'facebook/opt-350m': 331196416,
    'EleutherAI/pythia-160m': 162322944,
    'tiiuae/falcon-7b': 6921720704,
    'tiiuae/falcon-40b': 41303293952,
    'google/gemma-2-2b': 2614341888,
    'google/gemma-3-270m': 268098176,
    'mistralai/Mixtral-8x7B-v0.1': 46702792704,
    'mistralai/Mistral-7B-v0.1': 7241732096,
    'Qwen/Qwen3-0.6B': 596049920,
    // AutoModelForSeq2SeqLM, whose heads are tied
    'google-t5/t5-small': 60506624,
    'google/flan-t5-base': 222903552,
    'google/mt5-small': 172119424,
    'google/umt5-small': 175333376,
    'facebook/bart-base': 139420416,
    'facebook/mbart-large-cc25': 610851840
  } as const

  for (const [name, total] of Object.entries(parameters)) {
    test(`'${name}' has ${total} parameters`, () => {
      const raw = published[name as keyof typeof parameters]
      assert.equal(sizeOf(raw), total)
    })
  }

  test('say how heads are shared', () => {
    const heads = (raw: Fields) => {
      const { numHeads, numKeyValueHeads, headDim } = parse(raw)
      return [numHeads, numKeyValueHeads, headDim]
    }
    assert.deepEqual(heads(published['tiiuae/falcon-7b']), [71, 1, 64])
    assert.deepEqual(heads(published['tiiuae/falcon-40b']), [128, 8, 64])
    assert.deepEqual(heads(published['Qwen/Qwen3-0.6B']), [16, 8, 128])
  })

  test('say which blocks are those of an encoder', () => {
    assert.deepEqual(parse({ ...published['google/flan-t5-base'], num_decoder_layers: 4 }).stacks, [
      { name: 'encoder', blocks: { first: 0, end: 12 } },
      { name: 'decoder', blocks: { first: 12, end: 16 }, crosses: true }
    ])
    const alone = parse({ ...published['google-t5/t5-small'], architectures: ['T5EncoderModel'] })
    assert.deepEqual(alone.stacks, [{ name: 'encoder', blocks: { first: 0, end: 6 } }])
    assert.equal(alone.numBlocks, 6)
  })

  test('say whether T5 scales what its head takes', () => {
    const scales = (raw: Fields) => (parse(raw).traits as { scalesOutputs: boolean }).scalesOutputs
    assert.equal(scales(published['google-t5/t5-small']), true)
    assert.equal(scales(published['google/flan-t5-base']), false)
    // as transformers 5 writes them
    assert.equal(
      scales({ ...published['google/flan-t5-base'], tie_word_embeddings: true, scale_decoder_outputs: false }),
      false
    )
    assert.equal(scales({ ...published['google/mt5-small'], tie_word_embeddings: true }), false)
    assert.equal(scales(published['google/umt5-small']), true)
  })

  test('say which blocks are local', () => {
    const windows = (raw: Fields) => (parse(raw).traits as { windows: (number | null)[] }).windows
    assert.deepEqual(windows(published['google/gemma-2-2b']).slice(0, 4), [4096, null, 4096, null])
    assert.deepEqual(windows(published['google/gemma-3-270m']).slice(3, 8), [512, 512, null, 512, 512])
    assert.equal(windows(published['mistralai/Mistral-7B-v0.1'])[31], 4096)
  })
})

describe('what a family does not do', () => {
  const refusals: readonly (readonly [keyof typeof published, Fields, string, RegExp])[] = [
    ['gpt2', { add_cross_attention: true }, 'UNSUPPORTED', /add_cross_attention/],
    ['gpt2', { activation_function: 'mish' }, 'UNSUPPORTED', /'mish' is not supported \(supported: silu,/],
    ['gpt2', { n_head: 5 }, 'BAD_CHECKPOINT', /768 is not a multiple of 5 heads/],
    ['facebook/opt-350m', { layer_norm_elementwise_affine: false }, 'UNSUPPORTED', /elementwise_affine/],
    ['tiiuae/falcon-7b', { alibi: true }, 'UNSUPPORTED', /alibi with shared key/],
    ['tiiuae/falcon-40b', { parallel_attn: false }, 'UNSUPPORTED', /parallel_attn/],
    ['google/gemma-3-270m', { use_bidirectional_attention: true }, 'UNSUPPORTED', /bidirectional/],
    ['mistralai/Mixtral-8x7B-v0.1', { num_experts_per_tok: 9 }, 'BAD_CHECKPOINT', /at most 8, found 9/],
    [
      'google-t5/t5-small',
      { feed_forward_proj: 'gated-relu-x' },
      'BAD_CHECKPOINT',
      /feed_forward_proj: expected an activ/
    ],
    [
      'facebook/bart-base',
      { decoder_attention_heads: 6 },
      'UNSUPPORTED',
      /encoder_attention_heads 12 and decoder_attention_heads 6/
    ],
    [
      'facebook/bart-base',
      { architectures: ['BartForCausalLM'] },
      'UNSUPPORTED',
      /BartForCausalLM is a decoder without/
    ],
    ['google-t5/t5-small', { feed_forward_proj: 'gated-mish' }, 'UNSUPPORTED', /feed_forward_proj 'mish' is not/],
    ['google-t5/t5-small', { relative_attention_num_buckets: 2 }, 'BAD_CHECKPOINT', /2 buckets up to distance 128/],
    ['Qwen/Qwen3-0.6B', { rope_scaling: { rope_type: 'yarn', factor: 'x' } }, 'BAD_CHECKPOINT', /factor/]
  ]
  for (const [name, fields, code, message] of refusals) {
    test(`${name} with ${JSON.stringify(fields)}`, () => {
      assert.throws(() => parse({ ...published[name], ...fields }), { code, message })
    })
  }

  test('more blocks or experts than any model has are refused before anything is made of them', () => {
    for (const [name, fields] of Object.entries(published)) {
      const counts = ['num_hidden_layers', 'n_layer', 'num_layers', 'encoder_layers'].filter(field => field in fields)
      assert.equal(counts.length, 1, name)
      const message = /(num_hidden_layers|n_layer|num_layers|encoder_layers): expected at most 1024, found 1000000000/
      assert.throws(() => parse({ ...fields, [counts[0]!]: 1e9 }), { code: 'BAD_CHECKPOINT', message })
    }
    const mixtral = { ...published['mistralai/Mixtral-8x7B-v0.1'], num_local_experts: 1e9 }
    const bart = { ...published['facebook/bart-base'], decoder_layers: 1e9 }
    assert.throws(() => parse(bart), { code: 'BAD_CHECKPOINT', message: /decoder_layers: expected at most 1024/ })
    const deep = { ...published['google/flan-t5-base'], num_decoder_layers: 1e9 }
    assert.throws(() => parse(deep), { code: 'BAD_CHECKPOINT', message: /num_decoder_layers: expected at most 1024/ })
    assert.throws(() => parse(mixtral), { code: 'BAD_CHECKPOINT', message: /num_local_experts: expected at most 1024/ })
  })

  test('an architecture that is none of them is refused by name, with the list of those that are', () => {
    assert.throws(() => familyOf({ model_type: 'rwkv', architectures: ['RwkvForCausalLM'] }), {
      code: 'UNSUPPORTED',
      message: `config.json: model_type "rwkv" (RwkvForCausalLM) is not supported (supported: ${supportedModelTypes().join(', ')})`
    })
    const wanted = [
      'llama',
      'mistral',
      'qwen2',
      'qwen3',
      'gpt2',
      'bloom',
      'opt',
      'gpt_neox',
      'falcon',
      'gemma',
      'gemma2',
      'gemma3_text',
      'gemma3',
      'mixtral',
      't5',
      'mt5',
      'umt5',
      'bart',
      'mbart',
      'bert',
      'roberta',
      'xlm-roberta',
      'electra',
      'distilbert',
      'mpnet',
      'modernbert',
      'deberta-v2'
    ]
    assert.deepEqual(supportedModelTypes(), wanted)
  })
})
