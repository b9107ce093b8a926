// One block of Falcon: attention and MLP side by side with one norm or two, or one after the other.
// arXiv 2311.16867, section 4.
import type { Value } from '../../../graph/graph.ts'
import { splitFused } from '../../layers/attention.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { FalconConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function falconBlock({ g, config, scope, attend }: BlockContext<FalconConfig>, hidden: Value): Value {
  const { numHeads, numKeyValueHeads: groups, headDim, traits } = config
  const norm = (x: Value, path: string): Value => scope.layerNorm(x, path, { epsilon: config.normEpsilon })
  const before = norm(hidden, traits.norms === 'separate' ? 'ln_attn' : 'input_layernorm')
  const fused = scope.linear(before, 'self_attention.query_key_value')
  const mixed = attend(splitFused(g, fused, { groups, repeat: numHeads / groups, headDim }))
  const attended = g.Add(hidden, scope.linear(mixed, 'self_attention.dense'))
  const normed = {
    shared: () => before,
    separate: () => norm(hidden, 'ln_mlp'),
    sequential: () => norm(attended, 'post_attention_layernorm')
  }[traits.norms]()
  const inner = activate(g, traits.activation, scope.linear(normed, 'mlp.dense_h_to_4h'))
  return g.Add(attended, scope.linear(inner, 'mlp.dense_4h_to_h'))
}
