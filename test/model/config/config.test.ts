import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { withGenerationConfig } from '../../../model/config/config.ts'
import { familyOf } from '../../../model/families/families.ts'

const base = {
  model_type: 'llama',
  hidden_size: 64,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  intermediate_size: 128,
  vocab_size: 100
}

const parse = (fields: Record<string, unknown> = {}) => {
  const raw = { ...base, ...fields }
  return familyOf(raw).parseConfig(raw)
}

const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }
const parsedLlama3 = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 }

describe('config.json', () => {
  test('has the defaults of Hugging Face where fields are missing', () => {
    const { raw, ...config } = parse()
    assert.deepEqual(config, {
      modelType: 'llama',
      hiddenSize: 64,
      numBlocks: 2,
      numHeads: 4,
      numKeyValueHeads: 4,
      headDim: 16,
      intermediateSize: 128,
      vocabSize: 100,
      maxPositions: 2048,
      normEpsilon: 1e-6,
      tiedEmbeddings: false,
      bosTokenId: undefined,
      eosTokenIds: [],
      padTokenId: undefined,
      rope: { type: 'default', theta: 10000 },
      biasedModules: [],
      attentionBias: false,
      mlpBias: false,
      traits: { headNorms: false, windows: [null, null] }
    })
  })

  test('spells the rotary embedding in two ways', () => {
    assert.deepEqual(parse({ rope_theta: 500 }).rope, { type: 'default', theta: 500 })
    assert.deepEqual(parse({ rope_theta: 500, rope_scaling: null }).rope, { type: 'default', theta: 500 })
    assert.deepEqual(parse({ rope_parameters: { rope_theta: 500, rope_type: 'default' } }).rope, {
      type: 'default',
      theta: 500
    })
    const linear = { type: 'linear', theta: 500, factor: 2 }
    assert.deepEqual(parse({ rope_theta: 500, rope_scaling: { type: 'linear', factor: 2 } }).rope, linear)
    assert.deepEqual(parse({ rope_parameters: { rope_type: 'linear', rope_theta: 500, factor: 2 } }).rope, linear)
    assert.deepEqual(parse({ rope_theta: 500, rope_scaling: { rope_type: 'llama3', ...llama3 } }).rope, {
      ...parsedLlama3,
      theta: 500
    })
    assert.deepEqual(parse({ rope_parameters: { rope_type: 'llama3', rope_theta: 9, ...llama3 } }).rope, {
      ...parsedLlama3,
      theta: 9
    })
  })

  test('takes end tokens as a number or a list, and those of generation_config.json first', () => {
    assert.deepEqual(parse({ eos_token_id: 2 }).eosTokenIds, [2])
    const config = parse({ eos_token_id: [2, 3], pad_token_id: 1 })
    assert.deepEqual(config.eosTokenIds, [2, 3])
    const generation = withGenerationConfig(config, { eos_token_id: [7, 8], bos_token_id: 4 })
    assert.deepEqual([generation.eosTokenIds, generation.bosTokenId, generation.padTokenId], [[7, 8], 4, 1])
    assert.deepEqual(withGenerationConfig(config, {}).eosTokenIds, [2, 3])
  })

  test('knows which modules have a bias', () => {
    assert.equal(parse({ attention_bias: true }).biasedModules.length, 4)
    assert.equal(parse({ attention_bias: true, mlp_bias: true }).biasedModules.length, 7)
    const qwen = parse({ model_type: 'qwen2', num_key_value_heads: 2 })
    assert.deepEqual(qwen.biasedModules, ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'])
  })

  test('is refused where a field makes no sense', () => {
    const refused = (fields: Record<string, unknown>, code: string, message: RegExp) =>
      assert.throws(() => parse(fields), { code, message })
    refused({ hidden_size: undefined }, 'BAD_CHECKPOINT', /hidden_size: expected a positive whole number/)
    refused({ hidden_size: '64' }, 'BAD_CHECKPOINT', /hidden_size: .*found "64"/)
    refused({ num_key_value_heads: 3 }, 'BAD_CHECKPOINT', /4 attention heads cannot share 3/)
    refused({ head_dim: 15 }, 'BAD_CHECKPOINT', /head_dim: expected an even number/)
    refused({ rms_norm_eps: -1 }, 'BAD_CHECKPOINT', /rms_norm_eps: expected a positive number/)
    refused({ eos_token_id: 'x' }, 'BAD_CHECKPOINT', /eos_token_id/)
    refused({ rope_scaling: [] }, 'BAD_CHECKPOINT', /rope_scaling: expected an object/)
    refused({ rope_scaling: { rope_type: 'linear' } }, 'BAD_CHECKPOINT', /factor: expected a positive number/)
  })

  test('is refused where it asks for what the graphs do not do', () => {
    const refused = (fields: Record<string, unknown>, message: RegExp) =>
      assert.throws(() => parse(fields), { code: 'UNSUPPORTED', message })
    refused({ hidden_act: 'gelu' }, /hidden_act 'gelu'/)
    refused(
      { rope_scaling: { rope_type: 'axial', factor: 2 } },
      /'axial' is not supported \(supported: default, linear, dynamic, yarn, llama3, longrope, proportional\)/
    )
    refused({ quantization_config: { quant_method: 'gptq' } }, /quantized/)
    const mistral = { model_type: 'mistral', num_key_value_heads: 2, sliding_window: 8 }
    refused({ ...mistral, layer_types: ['sliding_attention', 'full_attention'] }, /layer_types of a mistral/)
  })

  test('says which blocks see a window only', () => {
    const windows = (fields: Record<string, unknown>) => {
      const traits = parse({ num_key_value_heads: 2, max_position_embeddings: 64, ...fields }).traits
      return (traits as { windows: (number | null)[] }).windows
    }
    assert.deepEqual(windows({ model_type: 'mistral', sliding_window: 8 }), [8, 8])
    assert.deepEqual(windows({ model_type: 'mistral', sliding_window: null }), [null, null])
    assert.deepEqual(windows({ model_type: 'mistral', sliding_window: 64 }), [null, null], 'no sequence outgrows it')
    const qwen = { model_type: 'qwen2', sliding_window: 8, max_window_layers: 1 }
    assert.deepEqual(windows(qwen), [null, null])
    assert.deepEqual(windows({ ...qwen, use_sliding_window: true }), [null, 8])
    const listed = { model_type: 'qwen3', use_sliding_window: true, sliding_window: 8 }
    assert.deepEqual(windows({ ...listed, layer_types: ['sliding_attention', 'full_attention'] }), [8, null])
    assert.throws(() => windows({ ...listed, layer_types: ['full_attention'] }), { code: 'BAD_CHECKPOINT' })
  })
})
