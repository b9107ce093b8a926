// One block of BERT: attention both ways and MLP, each added to its input, with norms after the sums.
// arXiv 1810.04805, section 3; Vaswani et al. 2017, section 3.1.
import type { Value } from '../../../graph/graph.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { BertConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function bertBlock({ g, config, scope, attend }: BlockContext<BertConfig>, hidden: Value): Value {
  const { normEpsilon: epsilon, traits } = config
  const mixed = attend({
    query: scope.linear(hidden, 'attention.self.query'),
    key: scope.linear(hidden, 'attention.self.key'),
    value: scope.linear(hidden, 'attention.self.value')
  })
  const sum = g.Add(scope.linear(mixed, 'attention.output.dense'), hidden)
  const attended = scope.layerNorm(sum, 'attention.output.LayerNorm', { epsilon })
  const inner = activate(g, traits.activation, scope.linear(attended, 'intermediate.dense'))
  return scope.layerNorm(g.Add(scope.linear(inner, 'output.dense'), attended), 'output.LayerNorm', { epsilon })
}
