// One block of Gemma: norms before attention and MLP, from Gemma 2 on also after both.
// arXiv 2403.08295, section 2; 2408.00118, section 2; 2503.19786, section 2.
import type { Value } from '../../../graph/graph.ts'
import { gated } from '../../layers/mlp.ts'
import type { NormOptions } from '../../layers/scope.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { GemmaConfig } from './config.ts'

/** Gemma keeps scales of norms as their distance from 1. */
export function normOptions({ normEpsilon }: GemmaConfig): NormOptions {
  return { epsilon: normEpsilon, offset: 1 }
}

/** hidden [batch, seq, hidden] -> the same */
export function gemmaBlock({ g, config, scope, attend }: BlockContext<GemmaConfig>, hidden: Value): Value {
  const options = normOptions(config)
  const { activation, headNorms, outerNorms } = config.traits
  const norm = (x: Value, path: string): Value => scope.rmsNorm(x, path, options)
  const after = (x: Value, path: string): Value => (outerNorms ? norm(x, path) : x)
  const perHead = (x: Value, path: string, heads: number): Value =>
    headNorms ? scope.headNorm(x, path, heads, options) : x
  const before = norm(hidden, 'input_layernorm')
  const mixed = attend({
    query: perHead(scope.linear(before, 'self_attn.q_proj'), 'self_attn.q_norm', config.numHeads),
    key: perHead(scope.linear(before, 'self_attn.k_proj'), 'self_attn.k_norm', config.numKeyValueHeads),
    value: scope.linear(before, 'self_attn.v_proj')
  })
  const attended = g.Add(hidden, after(scope.linear(mixed, 'self_attn.o_proj'), 'post_attention_layernorm'))
  const normed = norm(attended, outerNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm')
  const inner = gated(g, activation, scope.linear(normed, 'mlp.gate_proj'), scope.linear(normed, 'mlp.up_proj'))
  return g.Add(attended, after(scope.linear(inner, 'mlp.down_proj'), 'post_feedforward_layernorm'))
}
