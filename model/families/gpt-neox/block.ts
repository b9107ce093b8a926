// One block of GPT-NeoX: attention and MLP side by side, or one after the other. arXiv 2204.06745, section 2.1.
import type { Value } from '../../../graph/graph.ts'
import { splitFused } from '../../layers/attention.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { GptNeoXConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function gptNeoXBlock({ g, config, scope, attend }: BlockContext<GptNeoXConfig>, hidden: Value): Value {
  const { numHeads, headDim, normEpsilon: epsilon, traits } = config
  const fused = scope.linear(scope.layerNorm(hidden, 'input_layernorm', { epsilon }), 'attention.query_key_value')
  const mixed = attend(splitFused(g, fused, { groups: numHeads, repeat: 1, headDim }))
  const attended = g.Add(hidden, scope.linear(mixed, 'attention.dense'))
  const normed = scope.layerNorm(traits.parallel ? hidden : attended, 'post_attention_layernorm', { epsilon })
  const inner = activate(g, traits.activation, scope.linear(normed, 'mlp.dense_h_to_4h'))
  return g.Add(attended, scope.linear(inner, 'mlp.dense_4h_to_h'))
}
