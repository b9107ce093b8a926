// One block of BLOOM: norm, attention with linear biases, norm, MLP, each added. arXiv 2211.05100, section 3.2.
import type { Value } from '../../../graph/graph.ts'
import { splitFused } from '../../layers/attention.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { BloomConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function bloomBlock({ g, config, scope, attend }: BlockContext<BloomConfig>, hidden: Value): Value {
  const { numHeads, headDim, normEpsilon: epsilon } = config
  const base = (x: Value, norm: Value): Value => (config.traits.addsToNorm ? norm : x)
  const before = scope.layerNorm(hidden, 'input_layernorm', { epsilon })
  const fused = scope.linear(before, 'self_attention.query_key_value')
  const mixed = attend(splitFused(g, fused, { groups: numHeads, repeat: 1, headDim }))
  const attended = g.Add(base(hidden, before), scope.linear(mixed, 'self_attention.dense'))
  const after = scope.layerNorm(attended, 'post_attention_layernorm', { epsilon })
  const inner = activate(g, 'gelu_pytorch_tanh', scope.linear(after, 'mlp.dense_h_to_4h'))
  return g.Add(base(attended, after), scope.linear(inner, 'mlp.dense_4h_to_h'))
}
