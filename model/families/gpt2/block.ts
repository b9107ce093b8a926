// One block of GPT-2: norm, attention, norm, MLP, each added to its input.
// Radford et al. 2019, Language Models are Unsupervised Multitask Learners, section 2.3.
import type { Value } from '../../../graph/graph.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { Gpt2Config } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function gpt2Block({ g, config, scope, attend }: BlockContext<Gpt2Config>, hidden: Value): Value {
  const { numHeads, headDim, normEpsilon: epsilon, traits } = config
  const fused = scope.linear(scope.layerNorm(hidden, 'ln_1', { epsilon }), 'attn.c_attn')
  // queries of all heads, then keys, then values
  const [query, key, value] = g.Split(fused, { axis: 2, sizes: Array<number>(3).fill(numHeads * headDim) })
  const mixed = attend({ query: query!, key: key!, value: value! })
  const attended = g.Add(hidden, scope.linear(mixed, 'attn.c_proj'))
  const inner = scope.linear(scope.layerNorm(attended, 'ln_2', { epsilon }), 'mlp.c_fc')
  return g.Add(attended, scope.linear(activate(g, traits.activation, inner), 'mlp.c_proj'))
}
