// One block of the Llama family: norm, attention, norm, gated MLP, each added to its input. arXiv 2302.13971, section 2.2.
import type { Value } from '../../../graph/graph.ts'
import { gated } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { LlamaConfig } from './config.ts'

/** norm, attention, added to the input: what blocks of several families begin with */
export function selfAttention({ g, config, scope, attend }: BlockContext<LlamaConfig>, hidden: Value): Value {
  const options = { epsilon: config.normEpsilon }
  const normed = scope.rmsNorm(hidden, 'input_layernorm', options)
  // Qwen3 normalizes each head's queries and keys
  const perHead = (x: Value, path: string, heads: number): Value =>
    config.traits.headNorms ? scope.headNorm(x, path, heads, options) : x
  const mixed = attend({
    query: perHead(scope.linear(normed, 'self_attn.q_proj'), 'self_attn.q_norm', config.numHeads),
    key: perHead(scope.linear(normed, 'self_attn.k_proj'), 'self_attn.k_norm', config.numKeyValueHeads),
    value: scope.linear(normed, 'self_attn.v_proj')
  })
  return g.Add(hidden, scope.linear(mixed, 'self_attn.o_proj'))
}

/** hidden [batch, seq, hidden] -> the same */
export function llamaBlock(context: BlockContext<LlamaConfig>, hidden: Value): Value {
  const { g, config, scope } = context
  const attended = selfAttention(context, hidden)
  const normed = scope.rmsNorm(attended, 'post_attention_layernorm', { epsilon: config.normEpsilon })
  const activated = gated(g, 'silu', scope.linear(normed, 'mlp.gate_proj'), scope.linear(normed, 'mlp.up_proj'))
  return g.Add(attended, scope.linear(activated, 'mlp.down_proj'))
}
