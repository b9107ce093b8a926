// The norms that LN tuning trains where none are named: PEFT 0.21's (peft/utils/constants.py), for the model types that it lists.

const input = ['input_layernorm', 'post_attention_layernorm']
const around = ['pre_feedforward_layernorm', 'post_feedforward_layernorm', 'norm']
const t5 = ['layer_norm', 'final_layer_norm']

/** By `model_type`. */
export const lnModules: Readonly<Record<string, readonly string[]>> = {
  bart: ['self_attn_layer_norm', 'encoder_attn_layer_norm', 'final_layer_norm'],
  bloom: [...input, 'ln_f'],
  falcon: [...input, 'ln_f'],
  gemma: [...input, 'norm'],
  gemma2: [...input, ...around],
  gemma3_text: [...input, ...around],
  gpt2: ['ln_1', 'ln_2', 'ln_f'],
  llama: [...input, 'norm'],
  mistral: [...input, 'norm'],
  mt5: t5,
  qwen2: ['post_attention_layernorm'],
  qwen3: ['post_attention_layernorm'],
  t5
}
