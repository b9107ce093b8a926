// One block of ModernBERT: norm, attention both ways, norm, gated MLP, each added. arXiv 2412.13663, section 2.1.
import type { Value } from '../../../graph/graph.ts'
import { gated } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { ModernBertConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function modernBertBlock({ g, config, scope, attend }: BlockContext<ModernBertConfig>, hidden: Value): Value {
  const { hiddenSize, intermediateSize, normEpsilon: epsilon, traits } = config
  // the embeddings that enter the first block are normed already
  const normed = scope.block === 0 ? hidden : scope.layerNorm(hidden, 'attn_norm', { epsilon })
  const fused = scope.linear(normed, 'attn.Wqkv')
  // queries of all heads, then keys, then values
  const [query, key, value] = g.Split(fused, { axis: 2, sizes: [hiddenSize, hiddenSize, hiddenSize] })
  const mixed = attend({ query: query!, key: key!, value: value! })
  const attended = g.Add(hidden, scope.linear(mixed, 'attn.Wo'))
  const inner = scope.linear(scope.layerNorm(attended, 'mlp_norm', { epsilon }), 'mlp.Wi')
  const [gate, up] = g.Split(inner, { axis: 2, sizes: [intermediateSize, intermediateSize] })
  return g.Add(attended, scope.linear(gated(g, traits.activation, gate!, up!), 'mlp.Wo'))
}
