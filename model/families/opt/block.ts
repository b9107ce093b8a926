// One block of OPT: attention and MLP, each added to its input, with norms before them or after the sums.
// arXiv 2205.01068, section 2.1.
import type { Value } from '../../../graph/graph.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { OptConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function optBlock({ g, config, scope, attend }: BlockContext<OptConfig>, hidden: Value): Value {
  const { normEpsilon: epsilon, traits } = config
  const before = (x: Value, path: string): Value => (traits.normFirst ? scope.layerNorm(x, path, { epsilon }) : x)
  const after = (x: Value, path: string): Value => (traits.normFirst ? x : scope.layerNorm(x, path, { epsilon }))
  const normed = before(hidden, 'self_attn_layer_norm')
  const mixed = attend({
    query: scope.linear(normed, 'self_attn.q_proj'),
    key: scope.linear(normed, 'self_attn.k_proj'),
    value: scope.linear(normed, 'self_attn.v_proj')
  })
  const attended = after(g.Add(hidden, scope.linear(mixed, 'self_attn.out_proj')), 'self_attn_layer_norm')
  const inner = activate(g, traits.activation, scope.linear(before(attended, 'final_layer_norm'), 'fc1'))
  return after(g.Add(attended, scope.linear(inner, 'fc2')), 'final_layer_norm')
}
