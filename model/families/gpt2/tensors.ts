// Names and shapes of GPT-2's checkpoint tensors. Its Conv1D weights lie the other way round: [in, out].
import type { ClientTensorNames, LinearModule } from '../../family.ts'
import { type Gpt2Config, gpt2Modules } from './config.ts'

export function gpt2LinearModules({ hiddenSize, intermediateSize }: Gpt2Config): readonly LinearModule[] {
  const sizes = {
    'attn.c_attn': [hiddenSize, 3 * hiddenSize],
    'attn.c_proj': [hiddenSize, hiddenSize],
    'mlp.c_fc': [hiddenSize, intermediateSize],
    'mlp.c_proj': [intermediateSize, hiddenSize]
  } as const
  return gpt2Modules.map(name => ({ name, inFeatures: sizes[name][0], outFeatures: sizes[name][1], transposed: true }))
}

export function gpt2ClientTensorNames({ tiedEmbeddings }: Gpt2Config): ClientTensorNames {
  const embedding = 'transformer.wte.weight'
  return { embedding, norm: 'transformer.ln_f.weight', head: tiedEmbeddings ? embedding : 'lm_head.weight' }
}
