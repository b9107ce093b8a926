// config.json of DistilBERT. Source of fields and defaults: configuration_distilbert.py of Hugging Face transformers 5.
import type { RawConfig } from '../../config/config.ts'
import { type BertConfig, parseBertConfig } from '../bert/config.ts'

/** Its fields under BERT's names. */
const renamed = {
  hidden_size: 'dim',
  num_attention_heads: 'n_heads',
  num_hidden_layers: 'n_layers',
  intermediate_size: 'hidden_dim',
  hidden_act: 'activation'
} as const

/** Throws as parseBertConfig does, with BERT's name of a field beside its own. */
export function parseDistilBertConfig(raw: RawConfig): BertConfig {
  const own = Object.entries(renamed).flatMap(([name, field]) => (raw[field] === undefined ? [] : [[name, raw[field]]]))
  const blocks = raw.n_layers ?? raw.num_hidden_layers ?? 6
  const fields = {
    ...raw,
    num_hidden_layers: blocks,
    ...Object.fromEntries(own),
    type_vocab_size: 1,
    layer_norm_eps: 1e-12
  }
  const config = parseBertConfig(fields, { modelType: 'distilbert', padTokenId: 0 })
  return { ...config, traits: { ...config.traits, tokenTypes: 0 }, raw }
}
