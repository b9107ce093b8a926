// One block of T5: attention, in a decoder attention to the encoder, and a feed-forward layer, each after a norm and added to its
// input. arXiv 1910.10683, section 2.1; gated: arXiv 2002.05202.
import type { Value } from '../../../graph/graph.ts'
import type { Projections } from '../../layers/attention.ts'
import { activate, gated } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { T5Config } from './config.ts'
import { pathsOf } from './tensors.ts'

/** hidden [batch, seq, hidden] -> the same */
export function t5Block({ g, config, scope, attend, attendCross }: BlockContext<T5Config>, hidden: Value): Value {
  const { normEpsilon: epsilon, traits } = config
  const { selfAttention, crossAttention, feedForward, norms } = pathsOf(config, scope.block)
  let x = hidden
  const before = (index: number): Value => scope.rmsNorm(x, norms.at(index)!, { epsilon })
  const normed = before(0)
  const [query, key, value] = ['q', 'k', 'v'].map(name => scope.linear(normed, `${selfAttention}.${name}`))
  x = g.Add(x, scope.linear(attend({ query: query!, key: key!, value: value! }), `${selfAttention}.o`))
  if (crossAttention !== null) {
    const mixed = attendCross(scope.linear(before(1), `${crossAttention}.q`))
    x = g.Add(x, scope.linear(mixed, `${crossAttention}.o`))
  }
  const inner = before(-1)
  const through = (name: string): Value => scope.linear(inner, `${feedForward}.${name}`)
  const active = traits.gated
    ? gated(g, traits.activation, through('wi_0'), through('wi_1'))
    : activate(g, traits.activation, through('wi'))
  return g.Add(x, scope.linear(active, `${feedForward}.wo`))
}

/** Keys and values of the encoder's states [batch, source, hidden]. */
export function t5CrossProjections(
  { config, scope }: Pick<BlockContext<T5Config>, 'config' | 'scope'>,
  encoderHidden: Value
): Pick<Projections, 'key' | 'value'> {
  const { crossAttention } = pathsOf(config, scope.block)
  return {
    key: scope.linear(encoderHidden, `${crossAttention}.k`),
    value: scope.linear(encoderHidden, `${crossAttention}.v`)
  }
}
