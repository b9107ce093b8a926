// One block of BERT: attention both ways and MLP, each added to its input, with norms after the sums.
// arXiv 1810.04805, section 3; Vaswani et al. 2017, section 3.1.
import type { Value } from '../../../graph/graph.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { BertConfig } from './config.ts'

/** What a model calls the parts of such a block. */
export interface BlockNames {
  readonly query: string
  readonly key: string
  readonly value: string
  readonly mixed: string
  readonly attentionNorm: string
  readonly up: string
  readonly down: string
  readonly outputNorm: string
}

/** hidden [batch, seq, hidden] -> the same */
export function bertBlock(
  names: BlockNames,
  { g, config, scope, attend }: BlockContext<BertConfig>,
  hidden: Value
): Value {
  const { normEpsilon: epsilon, traits } = config
  const mixed = attend({
    query: scope.linear(hidden, names.query),
    key: scope.linear(hidden, names.key),
    value: scope.linear(hidden, names.value)
  })
  const attended = scope.layerNorm(g.Add(scope.linear(mixed, names.mixed), hidden), names.attentionNorm, { epsilon })
  const inner = activate(g, traits.activation, scope.linear(attended, names.up))
  return scope.layerNorm(g.Add(scope.linear(inner, names.down), attended), names.outputNorm, { epsilon })
}
