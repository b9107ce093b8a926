// One block of DeBERTa: BERT's, with attention that takes distances and contents apart. arXiv 2006.03654, section 3; 2111.09543.
import type { Value } from '../../../graph/graph.ts'
import { disentangledBias } from '../../layers/disentangled.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { DebertaConfig } from './config.ts'
import { distanceNorm, distanceTable } from './tensors.ts'

type Context = BlockContext<DebertaConfig>

/** Of the scores: as many products are added up. */
export function scoreScale({ headDim, traits }: DebertaConfig): number {
  return (headDim * (1 + traits.kinds.length)) ** -0.5
}

/** What distances add to the scores. */
function distanceBias({ g, config, scope }: Context, query: Value, key: Value): Value | undefined {
  const { hiddenSize, normEpsilon: epsilon, maxPositions, traits } = config
  const { distances: ranges, kinds, sharesKeys, normsTable } = traits
  if (ranges === null || kinds.length === 0) return undefined
  const table = scope.shared(distanceTable)
  const normed = normsTable
    ? g.LayerNormalization(table, scope.shared(`${distanceNorm}.weight`), scope.shared(`${distanceNorm}.bias`), {
        epsilon
      })
    : table
  const rows = g.Reshape(normed, [1, 2 * ranges.span, hiddenSize])
  const through = (kind: 'c2p' | 'p2c', own: string, shared: string): Value | undefined =>
    kinds.includes(kind)
      ? scope.linear(rows, `attention.self.${sharesKeys ? shared : own}`, { dropped: false })
      : undefined
  const inputs = {
    query,
    key,
    positionKey: through('c2p', 'pos_key_proj', 'key_proj'),
    positionQuery: through('p2c', 'pos_query_proj', 'query_proj')
  }
  return disentangledBias(g, inputs, config, { scale: scoreScale(config), ranges, positions: maxPositions })
}

/** hidden [batch, seq, hidden] -> the same */
export function debertaBlock(context: Context, hidden: Value): Value {
  const { g, config, scope, attend } = context
  const { normEpsilon: epsilon, traits } = config
  const query = scope.linear(hidden, 'attention.self.query_proj')
  const key = scope.linear(hidden, 'attention.self.key_proj')
  const value = scope.linear(hidden, 'attention.self.value_proj')
  const mixed = attend({ query, key, value, bias: distanceBias(context, query, key) })
  const sum = g.Add(scope.linear(mixed, 'attention.output.dense'), hidden)
  const attended = scope.layerNorm(sum, 'attention.output.LayerNorm', { epsilon })
  const inner = activate(g, traits.activation, scope.linear(attended, 'intermediate.dense'))
  return scope.layerNorm(g.Add(scope.linear(inner, 'output.dense'), attended), 'output.LayerNorm', { epsilon })
}
