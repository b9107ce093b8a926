// The modules that AdaLoRA changes where none are named, for the model types where they are not LoRA's: PEFT 0.21's
// (peft/utils/constants.py).

/** By `model_type`. */
export const adaLoraModules: Readonly<Record<string, readonly string[]>> = {
  bart: ['q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc1', 'fc2'],
  'deberta-v2': ['query_proj', 'key_proj', 'value_proj', 'dense'],
  mt5: ['q', 'k', 'v', 'o', 'wi_0', 'wi_1', 'wo'],
  opt: ['q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc1', 'fc2'],
  roberta: ['query', 'key', 'value', 'dense'],
  t5: ['q', 'k', 'v', 'o', 'wi', 'wo']
}
