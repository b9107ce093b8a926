// One block of Gemma 2 and 3: norms before and after both attention and MLP. arXiv 2408.00118, section 2; 2503.19786, section 2.
import type { Value } from '../../graph/graph.ts'
import type { BlockContext } from '../description.ts'
import { gated } from '../layers/mlp.ts'
import type { NormOptions } from '../layers/scope.ts'
import type { GemmaConfig } from './config.ts'

/** Gemma keeps scales of norms as their distance from 1. */
export function normOptions({ normEpsilon }: GemmaConfig): NormOptions {
  return { epsilon: normEpsilon, offset: 1 }
}

/** hidden [batch, seq, hidden] -> the same */
export function gemmaBlock({ g, config, scope, attend }: BlockContext<GemmaConfig>, hidden: Value): Value {
  const options = normOptions(config)
  const norm = (x: Value, path: string): Value => scope.rmsNorm(x, path, options)
  const perHead = (x: Value, path: string, heads: number): Value =>
    config.traits.headNorms ? scope.headNorm(x, path, heads, options) : x
  const before = norm(hidden, 'input_layernorm')
  const mixed = attend({
    query: perHead(scope.linear(before, 'self_attn.q_proj'), 'self_attn.q_norm', config.numHeads),
    key: perHead(scope.linear(before, 'self_attn.k_proj'), 'self_attn.k_norm', config.numKeyValueHeads),
    value: scope.linear(before, 'self_attn.v_proj')
  })
  const attended = g.Add(hidden, norm(scope.linear(mixed, 'self_attn.o_proj'), 'post_attention_layernorm'))
  const normed = norm(attended, 'pre_feedforward_layernorm')
  const { activation } = config.traits
  const inner = gated(g, activation, scope.linear(normed, 'mlp.gate_proj'), scope.linear(normed, 'mlp.up_proj'))
  return g.Add(attended, norm(scope.linear(inner, 'mlp.down_proj'), 'post_feedforward_layernorm'))
}
