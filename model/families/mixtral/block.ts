// One block of Mixtral: attention as in Llama, then experts, each added to its input. arXiv 2401.04088, section 2.
import type { Value } from '../../../graph/graph.ts'
import { mixExperts } from '../../layers/experts.ts'
import { gated } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import { selfAttention } from '../llama/block.ts'
import type { MixtralConfig } from './config.ts'
import { expertPath, router } from './tensors.ts'

/** hidden [batch, seq, hidden] -> the same */
export function mixtralBlock(context: BlockContext<MixtralConfig>, hidden: Value): Value {
  const { g, config, scope } = context
  const { numExperts, chosen } = config.traits
  const attended = selfAttention(context, hidden)
  const normed = scope.rmsNorm(attended, 'post_attention_layernorm', { epsilon: config.normEpsilon })
  const routing = { numExperts, chosen, name: `expert.${scope.block}` }
  const mixed = mixExperts(g, normed, scope.linear(normed, router), routing, (index, rows) => {
    const project = (x: Value, matrix: 'w1' | 'w2' | 'w3'): Value => scope.linear(x, expertPath(index, matrix))
    return project(gated(g, 'silu', project(rows, 'w1'), project(rows, 'w3')), 'w2')
  })
  return g.Add(attended, mixed)
}
