// Tensors that are known to be unused. Any other unread tensor could change the answer. Names only.
import { SwarmError } from '../../common/errors.ts'
import type { ModelConfig } from '../config/config.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'

/** Of every model type. Each line says what the tensor is for, and why a language model gives the same answers without it. */
const extras: readonly RegExp[] = [
  // angles that older builds of transformers saved: they follow from config.json
  /(^|\.)rotary_emb\.inv_freq$/,
  /(^|\.)rotary\.inv_freq$/,
  // rows of a table from 0 on
  /(^|\.)position_ids$/,
  // heads of other tasks over the same model: classification, choice, reward and value models (TRL)
  /(^|\.)(score|classifier|qa_outputs|classification_head\.(dense|out_proj))\.(weight|bias)$/,
  /(^|\.)multiple_choice_head\.summary\.(weight|bias)$/,
  /^v_head\.(summary\.)?(weight|bias)$/,
  // ranges for rounding activations and caches to 8 bits, which is not done here
  /\.(input_scale|output_scale|activation_scale|k_scale|v_scale|q_scale|kv_scale)$/,
  // of fairseq's files
  /(^|\.)decoder\.version$/,
  // of llama.cpp's older conversions
  /^blk\.\d+\.attn_rot_embd\.weight$/
]

/** T5's cross attention has no positions; the first files had a table of them. */
const unusedTable = /(^|\.)decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$/

/** Of one model type. */
const extrasOf: Readonly<Record<string, readonly RegExp[]>> = {
  // causal masks
  gpt2: [/(^|\.)attn\.(bias|masked_bias)$/],
  gpt_neox: [/\.attention\.(bias|masked_bias)$/],
  // whether two sentences follow each other; the bias of the masked head under the name that its class does not read
  bert: [/^cls\.seq_relationship\.(weight|bias)$/, /^cls\.predictions\.(decoder\.)?bias$/],
  roberta: [/^lm_head\.(decoder\.)?bias$/],
  'xlm-roberta': [/^lm_head\.(decoder\.)?bias$/],
  mpnet: [/^lm_head\.(decoder\.)?bias$/],
  // which tokens are the generator's
  electra: [/^discriminator_predictions\./],
  // which tokens were replaced, and the head of the other way to predict; positions where only distances count
  'deberta-v2': [/^(mask_predictions|lm_predictions|cls\.predictions)\./, /(^|\.)embeddings\.position_embeddings\./],
  // what sees images
  gemma3_text: [/(^|\.)(vision_tower|multi_modal_projector)\./],
  t5: [unusedTable],
  mt5: [unusedTable],
  umt5: [unusedTable]
}

const namedInErrors = 3

/** Throws BAD_CHECKPOINT with the names of unread tensors that are not known extras. */
export function checkUnread({ modelType }: ModelConfig, unread: readonly TensorInfo[], path: string): void {
  const known = [...extras, ...(extrasOf[modelType] ?? [])]
  const strange = unread.filter(({ name }) => !known.some(pattern => pattern.test(name)))
  const [first] = strange
  if (first === undefined) return
  const names = strange.slice(0, namedInErrors).map(({ name, shape }) => `'${name}' [${shape}]`)
  const more = strange.length > namedInErrors ? ` and ${strange.length - namedInErrors} more` : ''
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${path}: nothing reads tensor ${names.join(', ')}${more} of a ${modelType}, which could change the answers (does config.json belong to these files? Remove the tensor if the model does without it)`
  )
}
