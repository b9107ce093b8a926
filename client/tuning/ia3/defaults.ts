// The modules that IA3 changes where none are named: PEFT 0.21's (peft/utils/constants.py), for the model types that it lists.
// Mixtral's feed-forward modules are parameters, which PEFT's IA3 does not change.

export interface Ia3Modules {
  readonly targets: readonly string[]
  /** of these, the modules whose input is scaled instead of their output */
  readonly feedforward: readonly string[]
}

const fused = (down: string): Ia3Modules => ({ targets: ['query_key_value', down], feedforward: [down] })
const projections = (query: string, value: string, down: string): Ia3Modules => ({
  targets: [query, value, down],
  feedforward: [down]
})

/** The last layers of attention and of the MLP, and keys and values. */
const encoder = (key: string, value: string): Ia3Modules => ({
  targets: [key, value, 'output.dense'],
  feedforward: ['output.dense']
})

/** By `model_type`. */
export const ia3Modules: Readonly<Record<string, Ia3Modules>> = {
  bart: projections('q_proj', 'v_proj', 'fc2'),
  bert: encoder('key', 'value'),
  bloom: fused('mlp.dense_4h_to_h'),
  'deberta-v2': encoder('key_proj', 'value_proj'),
  falcon: fused('dense_4h_to_h'),
  gemma: projections('q_proj', 'v_proj', 'down_proj'),
  gemma2: projections('q_proj', 'v_proj', 'down_proj'),
  gemma3_text: projections('q_proj', 'v_proj', 'down_proj'),
  gpt2: { targets: ['c_attn', 'mlp.c_proj'], feedforward: ['mlp.c_proj'] },
  gpt_neox: fused('dense_4h_to_h'),
  llama: projections('k_proj', 'v_proj', 'down_proj'),
  mistral: projections('k_proj', 'v_proj', 'down_proj'),
  mixtral: { targets: ['k_proj', 'v_proj'], feedforward: [] },
  mt5: { targets: ['k', 'v', 'wi_1'], feedforward: [] },
  opt: projections('q_proj', 'k_proj', 'fc2'),
  qwen2: projections('q_proj', 'v_proj', 'down_proj'),
  qwen3: projections('q_proj', 'v_proj', 'down_proj'),
  roberta: encoder('key', 'value'),
  t5: projections('k', 'v', 'wo')
}
